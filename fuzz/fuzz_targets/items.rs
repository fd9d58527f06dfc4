//! Events of every kind: the first byte is the kind, the rest is the item.

#![no_main]

use events::DOCUMENTED;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((kind, item)) = data.split_first()
        && let Ok(item) = std::str::from_utf8(item)
    {
        events::check_item(DOCUMENTED[usize::from(*kind) % DOCUMENTED.len()], item);
    }
});
