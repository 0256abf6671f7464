//! The table of keys that is shipped is what the keys say of themselves.

use std::path::Path;

use koigate_config::key_table;

/// `KOIGATE_WRITE=1 cargo test -p koigate-config keys` writes it anew.
#[test]
fn the_table_of_keys_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("KEYS.md");
    let table = key_table();
    if std::env::var_os("KOIGATE_WRITE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let shipped = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shipped == table,
        "config/KEYS.md isn't what the code says: KOIGATE_WRITE=1 cargo test -p koigate-config keys"
    );
}
