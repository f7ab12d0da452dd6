//! Whether a program is there, before it is needed.

use std::path::{Path, PathBuf};

/// Where the program is: with a `/` in its name below `folder`, else on the search path.
///
/// # Errors
/// Why it could not be run.
pub(super) fn find_program(name: &str, folder: &Path) -> Result<PathBuf, String> {
    if name.contains(std::path::MAIN_SEPARATOR) || name.contains('/') {
        let path = folder.join(name);
        return match runnable(&path) {
            Ok(()) => Ok(path),
            Err(why) => Err(format!("{} {why}", path.display())),
        };
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&search).map(|place| place.join(name));
    found.find(|path| runnable(path).is_ok()).ok_or_else(|| {
        format!(
            "{name} is not on the search path: install it, or write its path, such as \"./{name}\" beside this file"
        )
    })
}

#[cfg(unix)]
fn runnable(path: &Path) -> Result<(), &'static str> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => Ok(()),
        Ok(meta) if meta.is_file() => Err("may not be run: chmod +x it"),
        Ok(_) => Err("is no file"),
        Err(_) => Err("is not there: create it, or correct the path (it begins at the folder of this file)"),
    }
}

#[cfg(not(unix))]
fn runnable(path: &Path) -> Result<(), &'static str> {
    if path.is_file() || path.with_extension("exe").is_file() { Ok(()) } else { Err("is not there") }
}
