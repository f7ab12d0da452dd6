//! The Python environment with the official client, `lua-device-client`.

use std::env;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Overrides where the interpreter is looked for.
pub const VARIABLE: &str = "MQTT_DEVICE_PYTHON";

/// The version of the official client that the tests are written against.
pub const CLIENT_VERSION: &str = "1.3.0";

/// The interpreter of an environment in which the official client is installed: the one that
/// `MQTT_DEVICE_PYTHON` names, else the project's own `.venv`.
///
/// # Errors
///
/// When there is none, or the client in it is missing or another version. The message says what to run.
pub fn interpreter() -> Result<PathBuf> {
    let python = env::var_os(VARIABLE).map_or_else(default_interpreter, PathBuf::from);
    let found = installed_version(&python).map_err(|why| missing(&python, &why))?;
    if found == CLIENT_VERSION {
        Ok(python)
    } else {
        Err(missing(&python, &format!("lua-device-client is {found}, not {CLIENT_VERSION}")))
    }
}

fn default_interpreter() -> PathBuf {
    // Of the crate under test when it runs, of this one otherwise: the same workspace.
    let start =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let venv = Path::new(".venv").join("bin").join("python");
    let root = start.ancestors().find(|dir| dir.join("Cargo.lock").is_file()).unwrap_or(&start);
    root.join(venv)
}

fn installed_version(python: &Path) -> core::result::Result<String, String> {
    let script = "import importlib.metadata as m, lua_device; print(m.version('lua-device-client'))";
    let output = Command::new(python).args(["-c", script]).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let text = String::from_utf8_lossy(&output.stderr);
        Err(text.lines().last().unwrap_or("it fails").to_owned())
    }
}

fn missing(python: &Path, why: &str) -> Error {
    Error::other(format!(
        "no Python with lua-device-client at {}: {why}. Run `./ci.sh interop`, which makes it.",
        python.display(),
    ))
}
