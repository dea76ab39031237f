//! What a test of the emulated board needs is there, or the test says that it is skipped.

/// Whether all of it is there. Where everything must run, what is missing is a failure.
pub fn has(needed: &[(&str, bool)]) -> bool {
    for (what, is_there) in needed {
        if !is_there {
            assert!(std::env::var_os("WISP_REQUIRE_ALL").is_none(), "no {what}");
            println!("skipped: no {what} (`make bench-programs` builds the programs)");
            return false;
        }
    }
    true
}
