#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| domicile_fuzz::targets::judge::run_anywhere(bytes));
