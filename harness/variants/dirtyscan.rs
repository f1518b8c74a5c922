// The contract of dirtyscan.h for variants in Rust, which include it with
//
//     #[allow(dead_code)]
//     mod dirtyscan {
//         include!(env!("DIRTYSCAN_RS"));
//     }
//
// and say what they are in one line, with a macro of dirtyscan_macros.rs; or define `pub static dirtyscan_variant: Variant` with #[no_mangle].
// dirtyscan.h says what holds.

use std::ffi::{c_char, c_void, CStr};

include!("dirtyscan_macros.rs");
include!("dirtyscan_storage.rs");

pub const ABI: u32 = 3;
/// Forms of an operation: the first signature, and those of `drain_giving` and `merge_taking`.
pub const PLAIN: u32 = 0;
pub const GIVES: u32 = 1;
pub const TAKES: u32 = 2;

/// A dirty map in the representation that the variant names; a bitmap has `words`.
#[repr(C)]
pub struct Map {
    pub bytes: *mut u8,
    pub words: *mut u64,
    pub summary: *mut u64,
    pub dirty: u64,
    pub pages: u64,
    pub page_size: u64,
    pub state: *mut c_void,
}

impl Map {
    /// The number of words of a bitmap.
    pub fn word_count(&self) -> usize {
        self.pages.div_ceil(64) as usize
    }

    /// The words of a bitmap that nobody changes meanwhile.
    pub fn words(&self) -> &[u64] {
        unsafe { std::slice::from_raw_parts(self.words, self.word_count()) }
    }

    /// The same, for who changes them.
    pub fn words_mut(&mut self) -> &mut [u64] {
        unsafe { std::slice::from_raw_parts_mut(self.words, self.word_count()) }
    }

    /// The words of a bitmap that other threads change meanwhile.
    pub fn atomic_words(&self) -> &[std::sync::atomic::AtomicU64] {
        unsafe { std::slice::from_raw_parts(self.words.cast(), self.word_count()) }
    }
}

/// A run of dirty pages.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Range {
    pub first: u64,
    pub pages: u64,
}

/// A list of ranges: the caller's memory, or one of the variant's own.
#[repr(C)]
pub struct Ranges {
    pub list: *mut Range,
    pub release: Option<extern "C" fn(&mut Ranges)>,
    pub owner: *mut c_void,
    pub capacity: u64,
}

impl Ranges {
    /// Hands over a vector, which is freed when the caller is done with it.
    pub fn give(&mut self, list: Vec<Range>) -> u64 {
        let mut list = std::mem::ManuallyDrop::new(list);
        self.list = list.as_mut_ptr();
        self.owner = list.len() as *mut c_void;
        self.capacity = list.capacity() as u64;
        self.release = Some(free);
        list.len() as u64
    }
}

extern "C" fn free(ranges: &mut Ranges) {
    let (length, capacity) = (ranges.owner as usize, ranges.capacity as usize);
    drop(unsafe { Vec::from_raw_parts(ranges.list, length, capacity) });
}

/// Words that were taken out of a map: in the caller's memory, or in the variant's own.
#[repr(C)]
pub struct Taken {
    pub words: *mut u64,
    pub count: u64,
    pub release: Option<extern "C" fn(&mut Taken)>,
    pub owner: *mut c_void,
    pub capacity: u64,
}

impl Taken {
    /// Hands over a vector, which is freed when the caller is done with it.
    pub fn give(&mut self, words: Vec<u64>) {
        let mut words = std::mem::ManuallyDrop::new(words);
        self.words = words.as_mut_ptr();
        self.count = words.len() as u64;
        self.capacity = words.capacity() as u64;
        self.release = Some(free_taken);
    }
}

extern "C" fn free_taken(taken: &mut Taken) {
    let (length, capacity) = (taken.count as usize, taken.capacity as usize);
    drop(unsafe { Vec::from_raw_parts(taken.words, length, capacity) });
}

#[repr(C)]
pub struct Variant {
    pub abi: u32,
    pub year: u32,
    pub operation: *const c_char,
    pub map: *const c_char,
    pub summary: *const c_char,
    pub requires: *const c_char,
    pub paid_in: *const c_char,
    pub bound: u32,
    pub form: u32,
    pub run: *const c_void,
    pub prepare: Option<extern "C" fn(&Map, *const u64) -> *mut c_void>,
    pub finish: Option<extern "C" fn(*mut c_void, &mut Map, &Output)>,
    pub beside: *const c_void,
}

unsafe impl Sync for Variant {}

impl Variant {
    /// A variant of an operation on a bitmap.
    pub const fn of_bitmap(
        year: u32,
        operation: &'static CStr,
        summary: &'static CStr,
        run: *const c_void,
    ) -> Self {
        Variant {
            abi: ABI,
            year,
            operation: operation.as_ptr(),
            map: c"bitmap".as_ptr(),
            summary: summary.as_ptr(),
            requires: std::ptr::null(),
            paid_in: std::ptr::null(),
            bound: 0,
            form: PLAIN,
            run,
            prepare: None,
            finish: None,
            beside: std::ptr::null(),
        }
    }

    pub const fn year(self, year: u32) -> Self {
        Variant { year, ..self }
    }

    pub const fn summary(self, summary: &'static CStr) -> Self {
        Variant { summary: summary.as_ptr(), ..self }
    }

    pub const fn requires(self, flags: &'static CStr) -> Self {
        Variant { requires: flags.as_ptr(), ..self }
    }
}
