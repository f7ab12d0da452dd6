//! The users of a mosquitto.
//!
//! A password file cannot hold a user name with a `:`, the form that devices use
//! (`{agentId}:{deviceName}`). When there is one, mosquitto's own dynamic security plugin keeps the users
//! instead: it hashes as the password file does, and answers a wrong password in the same way.

use std::ffi::OsStr;
use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Endpoint;
use crate::process::not_started;

/// A name and a password.
pub(crate) type User = (String, String);

const ADMIN: (&str, &str) = ("testkit-admin", "testkit-admin-password");
const TOPIC: &str = "$CONTROL/dynamic-security/v1";

/// How the users are kept.
#[derive(Debug)]
pub(crate) enum Keeper {
    /// Anybody may connect.
    Nobody,
    /// `mosquitto_passwd`.
    File(PathBuf),
    /// The plugin, and its own file.
    Plugin { library: PathBuf, file: PathBuf },
}

impl Keeper {
    /// Writes the files for `users` into `dir`.
    pub(crate) fn new(dir: &Path, users: &[User]) -> Result<Self> {
        if users.is_empty() {
            return Ok(Self::Nobody);
        }
        if users.iter().all(|(name, _)| !name.contains(':')) {
            let file = dir.join("passwords");
            let text: String = users.iter().map(|(name, key)| format!("{name}:{key}\n")).collect();
            fs::write(&file, text)?;
            // In place, so that no password stands on a command line.
            run("mosquitto_passwd", [OsStr::new("-U"), file.as_os_str()])?;
            return Ok(Self::File(file));
        }
        let file = dir.join("users.json");
        let (name, key) = ADMIN;
        let args = ["dynsec", "init"].map(OsStr::new);
        let rest = [name, key].map(OsStr::new);
        run("mosquitto_ctrl", args.into_iter().chain([file.as_os_str()]).chain(rest))?;
        Ok(Self::Plugin { library: plugin()?, file })
    }

    /// The lines for the configuration file.
    pub(crate) fn config(&self) -> String {
        match self {
            Self::Nobody => "allow_anonymous true\n".to_owned(),
            Self::File(file) => {
                format!("allow_anonymous false\npassword_file {}\n", file.display())
            }
            Self::Plugin { library, file } => format!(
                "allow_anonymous false\nplugin {}\nplugin_opt_config_file {}\n",
                library.display(),
                file.display(),
            ),
        }
    }

    /// Tells a plugin that has just been started for the first time about the users; it keeps them.
    pub(crate) fn enrol(&self, endpoint: &Endpoint, users: &[User]) -> Result<()> {
        let Self::Plugin { .. } = self else { return Ok(()) };
        let kinds = ["publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"];
        let access = kinds.map(|kind| format!(r#"{{"acltype":"{kind}","allow":true}}"#)).join(",");
        let mut commands = vec![format!(r#"{{"command":"setDefaultACLAccess","acls":[{access}]}}"#)];
        commands.extend(users.iter().map(|(name, key)| {
            let (name, key) = (quoted(name), quoted(key));
            format!(r#"{{"command":"createClient","username":{name},"password":{key}}}"#)
        }));
        let body = format!(r#"{{"commands":[{}]}}"#, commands.join(","));
        let admin = endpoint.clone().with_user(ADMIN.0, ADMIN.1);
        let answer = admin.request(TOPIC, &format!("{TOPIC}/response"), &body)?;
        if answer.contains("\"error\"") {
            return Err(Error::other(format!("mosquitto did not take the users: {answer}")));
        }
        Ok(())
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Debian puts it below a folder named after the architecture; others do not.
fn plugin() -> Result<PathBuf> {
    let name = "mosquitto_dynamic_security.so";
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib"].map(Path::new);
    let below = roots.iter().flat_map(|root| fs::read_dir(root).into_iter().flatten().flatten());
    let mut dirs = roots.iter().map(|root| root.to_path_buf()).chain(below.map(|dir| dir.path()));
    dirs.find_map(|dir| Some(dir.join(name)).filter(|file| file.is_file()))
        .ok_or_else(|| Error::other(format!("{name} is not there: it comes with mosquitto 2")))
}

fn run(program: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<()> {
    let output = Command::new(program).args(args).output().map_err(|error| not_started(program, error))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Error::other(format!("{program}: {}: {}", output.status, text.trim())))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_password_with_quotes_stays_one_json_string() {
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\u000a""#);
    }
}
