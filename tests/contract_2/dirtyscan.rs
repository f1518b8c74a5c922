// The contract of dirtyscan.h for variants in Rust, which include it with
//
//     mod dirtyscan { include!(env!("DIRTYSCAN_RS")); }
//
// and define `pub static dirtyscan_variant: Variant` with #[no_mangle]. dirtyscan.h says what
// holds.

use std::ffi::{c_char, c_void, CStr};

pub const ABI: u32 = 2;

/// A dirty map in the representation that the variant names; a bitmap has `words`.
#[repr(C)]
pub struct Map {
    pub bytes: *mut u8,
    pub words: *mut u64,
    pub summary: *mut u64,
    pub dirty: u64,
    pub pages: u64,
    pub page_size: u64,
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

#[repr(C)]
pub struct Variant {
    abi: u32,
    year: u32,
    operation: *const c_char,
    map: *const c_char,
    summary: *const c_char,
    requires: *const c_char,
    paid_in: *const c_char,
    bound: u32,
    run: *const c_void,
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
            run,
        }
    }
}
