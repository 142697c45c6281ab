//! Looks for a request that the decoder panics at, or lets through against the documented rules.
//! An input is the target, the idempotency keys and the content type, each in a line, and the
//! body.
#![no_main]

use gateway::decoder_rules::Said;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| Said::cut(bytes).check());
