// Types with storage of their own: what `prepare` and `finish` of dirtyscan.h are in Rust.

/// A type with storage of its own: filled before the time of a call begins, and read back when it
/// has ended. `prepare` and `finish` of dirtyscan.h say when, and what is in the caches then.
pub trait Storage: Sized {
    /// Makes it hold what is in `map`; `log` is what will be merged, if anything is.
    fn prepare(map: &Map, log: Option<&[u64]>) -> Self;

    /// Writes which pages are dirty to `map`, and puts into `output` what the call has kept.
    fn finish(self, map: &mut Map, output: &Output);

    /// Marks pages (their number last), so that drains are tried while others do.
    const MARK: Option<fn(&Self, u64, u64)> = None;

    /// Takes all words, so that marks are tried while others do.
    const DRAIN: Option<fn(&Self) -> Vec<u64>> = None;
}

/// Where `finish` may put what came out of a call.
#[repr(C)]
pub struct Output {
    pub taken: *mut u64,
    pub ranges: *mut Range,
}

impl Output {
    /// Says which words a drain has taken.
    pub fn put_taken(&self, map: &Map, words: &[u64]) {
        assert!(!self.taken.is_null(), "this operation takes no words");
        assert!(words.len() <= map.word_count(), "more words than the map has");
        unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), self.taken, words.len()) }
    }

    /// Says which ranges were listed.
    pub fn put_ranges(&self, map: &Map, ranges: &[Range]) {
        assert!(!self.ranges.is_null(), "this operation lists no ranges");
        assert!(ranges.len() as u64 <= map.pages.div_ceil(2), "more ranges than there can be");
        unsafe { std::ptr::copy_nonoverlapping(ranges.as_ptr(), self.ranges, ranges.len()) }
    }
}

impl Map {
    /// What `T::prepare` has made.
    ///
    /// # Safety
    /// The variant is `stored::<T>()`.
    pub unsafe fn state<T: Storage>(&self) -> &T {
        unsafe { &*self.state.cast() }
    }

    /// The same, for an operation that nobody else works beside.
    ///
    /// # Safety
    /// The variant is `stored::<T>()`, and no other reference to its state is in use.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn state_mut<T: Storage>(&self) -> &mut T {
        unsafe { &mut *self.state.cast() }
    }
}

impl Variant {
    /// The same, filled from the map before each call, and read back after it.
    pub const fn stored<T: Storage>(self) -> Self {
        Variant { prepare: Some(prepare::<T>), finish: Some(finish::<T>), ..self }
    }

    /// Says how others mark pages while it drains.
    pub const fn marked_beside<T: Storage>(self) -> Self {
        match T::MARK {
            Some(_) => Variant { beside: mark_beside::<T> as *const _, ..self },
            None => self,
        }
    }

    /// Says how others drain while it marks.
    pub const fn drained_beside<T: Storage>(self) -> Self {
        match T::DRAIN {
            Some(_) => Variant { beside: drain_beside::<T> as *const _, ..self },
            None => self,
        }
    }
}

extern "C" fn prepare<T: Storage>(map: &Map, log: *const u64) -> *mut c_void {
    let words = map.word_count();
    let log = (!log.is_null()).then(|| unsafe { std::slice::from_raw_parts(log, words) });
    Box::into_raw(Box::new(T::prepare(map, log))).cast()
}

extern "C" fn finish<T: Storage>(state: *mut c_void, map: &mut Map, output: &Output) {
    let state: Box<T> = unsafe { Box::from_raw(state.cast()) };
    state.finish(map, output);
}

extern "C" fn mark_beside<T: Storage>(map: &Map, first: u64, pages: u64) {
    let mark = T::MARK.expect("it is not called otherwise");
    mark(unsafe { map.state() }, first, pages);
}

extern "C" fn drain_beside<T: Storage>(map: &Map, taken: *mut u64) {
    let drain = T::DRAIN.expect("it is not called otherwise");
    let output = Output { taken, ranges: std::ptr::null_mut() };
    output.put_taken(map, &drain(unsafe { map.state() }));
}
