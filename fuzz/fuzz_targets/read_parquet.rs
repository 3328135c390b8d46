#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pinion_sdk::testing::fuzz_source::<read_parquet::ReadParquet>("{}", "application/vnd.apache.parquet", bytes);
});
