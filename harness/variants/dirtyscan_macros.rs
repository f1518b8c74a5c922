// Variants in one line: what is measured as a closure, or as a function of these arguments.
//
//     dirtyscan::count!(mine, |words| words.iter().map(|word| word.count_ones() as u64).sum());
//
// The first word is the variant's name in messages. For a type with storage of its own (the trait
// `Storage`), `for` says which it is, and the closure gets that instead of the map's words:
//
//     dirtyscan::drain!(mine for AtomicBitmap, |bitmap| bitmap.get_and_reset());
//
// What comes behind is said of the variant: year = 2024, requires = c"popcnt", summary = c"...".
// It is all on bitmaps; for byte maps, define `dirtyscan_variant` yourself.

/// What a list of ranges is handed over as: a vector, or how many there are if `finish` puts them.
pub trait Listed {
    fn hand_over(self, ranges: &mut Ranges) -> u64;
}

impl Listed for Vec<Range> {
    fn hand_over(self, ranges: &mut Ranges) -> u64 {
        ranges.give(self)
    }
}

impl Listed for u64 {
    fn hand_over(self, _ranges: &mut Ranges) -> u64 {
        self
    }
}

/// Lets a closure's arguments be known by their types.
pub fn call<A, R>(run: impl FnOnce(A) -> R, argument: A) -> R {
    run(argument)
}

/// The same with two arguments.
pub fn call_2<A, B, R>(run: impl FnOnce(A, B) -> R, first: A, second: B) -> R {
    run(first, second)
}

/// The same with three.
pub fn call_3<A, B, C, R>(run: impl FnOnce(A, B, C) -> R, first: A, second: B, third: C) -> R {
    run(first, second, third)
}

/// A name with the zero that C wants behind it.
pub const fn c_name(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a name has no zero in it"),
    }
}

/// The variant of which `dirtyscan_run` is the function.
#[allow(unused_macros)]
macro_rules! variant {
    ($name:ident, $operation:literal, $form:ident, [$($said:tt)*]; $($function:tt)*) => {
        #[no_mangle]
        #[allow(non_upper_case_globals)]
        pub static dirtyscan_variant: dirtyscan::Variant = {
            $($function)*
            let name = dirtyscan::c_name(concat!(stringify!($name), "\0"));
            let run = dirtyscan_run as *const _;
            let said = dirtyscan::Variant::of_bitmap(0, $operation, name, run) $($said)*;
            dirtyscan::Variant { form: dirtyscan::$form, ..said }
        };
    };
}

/// What a closure works on: what the map has by a method, or a state where its type is given.
#[allow(unused_macros)]
macro_rules! subject {
    ($map:ident.$words:ident) => {
        $map.$words()
    };
    ($map:ident.$words:ident, $state:ident::<$type:ty>) => {
        unsafe { $map.$state::<$type>() }
    };
}

/// How many pages are dirty.
#[allow(unused_macros)]
macro_rules! count {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"count", PLAIN, [$(.stored::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(map: &dirtyscan::Map) -> u64 {
                dirtyscan::call($run, dirtyscan::subject!(map.words $(, state::<$type>)?))
            }
        );
    };
}

/// A list of all ranges: a vector of them, or their number if `finish` puts them.
#[allow(unused_macros)]
macro_rules! ranges {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"ranges", PLAIN, [$(.stored::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(
                map: &dirtyscan::Map,
                ranges: &mut dirtyscan::Ranges,
            ) -> u64 {
                let subject = dirtyscan::subject!(map.words $(, state_mut::<$type>)?);
                dirtyscan::Listed::hand_over(dirtyscan::call($run, subject), ranges)
            }
        );
    };
}

/// A vector of the words that were taken.
#[allow(unused_macros)]
macro_rules! drain {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"drain", GIVES,
            [$(.stored::<$type>().marked_beside::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(map: &mut dirtyscan::Map, taken: &mut dirtyscan::Taken) {
                let subject = dirtyscan::subject!(map.atomic_words $(, state::<$type>)?);
                taken.give(dirtyscan::call($run, subject));
            }
        );
    };
}

/// Nothing; the words that were taken are put into the second argument, which is all 0.
#[allow(unused_macros)]
macro_rules! drain_into {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"drain", PLAIN,
            [$(.stored::<$type>().marked_beside::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(map: &mut dirtyscan::Map, taken: *mut u64) {
                let taken = unsafe { std::slice::from_raw_parts_mut(taken, map.word_count()) };
                let subject = dirtyscan::subject!(map.atomic_words $(, state::<$type>)?);
                dirtyscan::call_2($run, subject, taken);
            }
        );
    };
}

/// Nothing; marks as many pages as the third argument says, from the second on.
#[allow(unused_macros)]
macro_rules! mark {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"mark", PLAIN,
            [$(.stored::<$type>().drained_beside::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(map: &mut dirtyscan::Map, first: u64, pages: u64) {
                let subject = dirtyscan::subject!(map.atomic_words $(, state::<$type>)?);
                dirtyscan::call_3($run, subject, first, pages);
            }
        );
    };
}

/// How many pages of the log, the second argument, are newly dirty.
#[allow(unused_macros)]
macro_rules! merge {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"merge", PLAIN, [$(.stored::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(map: &mut dirtyscan::Map, log: *const u64) -> u64 {
                let log = unsafe { std::slice::from_raw_parts(log, map.word_count()) };
                let subject = dirtyscan::subject!(map.words_mut $(, state_mut::<$type>)?);
                dirtyscan::call_2($run, subject, log)
            }
        );
    };
}

/// The same, and the log may be changed.
#[allow(unused_macros)]
macro_rules! merge_taking {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"merge", TAKES, [$(.stored::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(map: &mut dirtyscan::Map, log: *mut u64) -> u64 {
                let log = unsafe { std::slice::from_raw_parts_mut(log, map.word_count()) };
                let subject = dirtyscan::subject!(map.words_mut $(, state_mut::<$type>)?);
                dirtyscan::call_2($run, subject, log)
            }
        );
    };
}

/// The first dirty page at or behind the second argument, if there is one.
#[allow(unused_macros)]
macro_rules! next {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"next", PLAIN, [$(.stored::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(map: &dirtyscan::Map, from: u64) -> u64 {
                let subject = dirtyscan::subject!(map.words $(, state::<$type>)?);
                let found: Option<u64> = dirtyscan::call_2($run, subject, from);
                found.unwrap_or(map.pages)
            }
        );
    };
}

/// How many pages are dirty once the log, the second argument, is merged; then as many of them are
/// cleaned, from the first on, as the third argument says.
#[allow(unused_macros)]
macro_rules! tick {
    ($name:ident $(for $type:ty)?, $run:expr $(, $said:ident = $value:expr)* $(,)?) => {
        dirtyscan::variant!(
            $name, c"tick", PLAIN, [$(.stored::<$type>())? $(.$said($value))*];
            extern "C" fn dirtyscan_run(
                map: &mut dirtyscan::Map,
                log: *const u64,
                sent: u64,
            ) -> u64 {
                let log = unsafe { std::slice::from_raw_parts(log, map.word_count()) };
                let subject = dirtyscan::subject!(map.words_mut $(, state_mut::<$type>)?);
                dirtyscan::call_3($run, subject, log, sent)
            }
        );
    };
}

#[allow(unused_imports)]
pub(crate) use {
    count, drain, drain_into, mark, merge, merge_taking, next, ranges, subject, tick, variant,
};
