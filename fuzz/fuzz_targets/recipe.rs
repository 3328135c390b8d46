#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pinion_runtime::fuzz::recipe(bytes);
});
