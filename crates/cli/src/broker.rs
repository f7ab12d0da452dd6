//! Which broker, and who connects to it: the options that several subcommands share.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use mqtt_device_tokio::ClientBuilder;
use mqtt_device_tokio::{Client, Server};

use crate::exit::{Failure, Outcome};

/// The environment variable from which the password is read.
pub(crate) const PASSWORD_VARIABLE: &str = "MQTT_DEVICE_PASSWORD";

const URL_VARIABLE: &str = "MQTT_DEVICE_URL";
const USERNAME_VARIABLE: &str = "MQTT_DEVICE_USERNAME";

/// Options that name a broker. A password is never among them: it comes from a file or the environment.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Broker")]
pub(crate) struct BrokerOptions {
    /// The broker: mqtt://HOST or mqtt://HOST:PORT (the presets lua and lua-mqtts want TLS, which is not built yet)
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The user name at the broker
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// A file with the password at the broker; without it, the variable MQTT_DEVICE_PASSWORD is read
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Let password and API keys go over a network in clear text (to this machine itself they always may)
    #[arg(long, global = true)]
    pub(crate) allow_insecure: bool,
}

/// A text that is not shown.
#[derive(Clone)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// A broker and the credentials for it.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) url: String,
    pub(crate) server: Server,
    pub(crate) credentials: Option<(String, Hidden)>,
    pub(crate) allow_insecure: bool,
}

impl BrokerOptions {
    /// Reads the password and checks the URL; what the options do not say, the environment does.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub(crate) fn resolve(&self) -> Outcome<Broker> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(url) = self.url.clone().or_else(|| variable(URL_VARIABLE)) else {
            return Err(Failure::usage(format_args!(
                "no broker is named: add --url mqtt://HOST:PORT, or set {URL_VARIABLE}"
            )));
        };
        let server = Server::parse(&url).map_err(|error| Failure::usage(format_args!("--url: {error}")))?;
        let username = self.username.clone().or_else(|| variable(USERNAME_VARIABLE));
        if username.is_none() && self.password_file.is_some() {
            return Err(Failure::usage(format_args!(
                "--password-file needs a user name: add --username NAME, or set {USERNAME_VARIABLE}"
            )));
        }
        let credentials = username.map(|name| Ok::<_, Failure>((name, self.password()?))).transpose()?;
        Ok(Broker { url, server, credentials, allow_insecure: self.allow_insecure })
    }

    fn password(&self) -> Outcome<Hidden> {
        if let Some(file) = &self.password_file {
            return read_secret(file, "--password-file");
        }
        std::env::var(PASSWORD_VARIABLE).map(Hidden).map_err(|_| {
            Failure::usage(format_args!(
                "--username needs a password: name a file with --password-file, or set {PASSWORD_VARIABLE}"
            ))
        })
    }
}

impl Broker {
    /// A broker of this program's own, which lets everybody in.
    ///
    /// # Errors
    /// Never for a socket address.
    pub(crate) fn own(address: core::net::SocketAddr) -> Outcome<Self> {
        let url = format!("mqtt://{address}");
        let server = Server::parse(&url).map_err(Failure::failed)?;
        Ok(Self { url, server, credentials: None, allow_insecure: false })
    }

    /// A client of this broker.
    pub(crate) fn client(&self) -> ClientBuilder {
        let mut builder = Client::builder(self.server.to_string());
        if let Some((name, Hidden(password))) = &self.credentials {
            builder = builder.credentials(name.clone(), password.clone());
        }
        if self.allow_insecure {
            builder = builder.allow_insecure_credentials();
        }
        builder
    }
}

/// Reads a file that holds one secret; the line end behind it does not belong to it.
///
/// # Errors
/// The file cannot be read or is empty; `option` says who named it.
pub(crate) fn read_secret(file: &Path, option: &str) -> Outcome<Hidden> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format_args!("{option}: cannot read {}: {error}", file.display())))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Failure::usage(format_args!("{option}: {} is empty", file.display())));
    }
    if secret.contains('\n') {
        return Err(Failure::usage(format_args!("{option}: {} has more than one line", file.display())));
    }
    warn_if_readable(file);
    Ok(Hidden(secret.to_owned()))
}

/// Warns when others can read a file of secrets.
#[cfg(unix)]
pub(crate) fn warn_if_readable(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        tracing::warn!("{} holds secrets and others can read it: chmod 600 it", file.display());
    }
}

#[cfg(not(unix))]
pub(crate) fn warn_if_readable(_file: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_without_a_user_name_is_refused_and_not_ignored() {
        let options = BrokerOptions {
            url: Some("mqtt://127.0.0.1".to_owned()),
            username: None,
            password_file: Some(PathBuf::from("password")),
            allow_insecure: false,
        };
        let error = options.resolve().unwrap_err().to_string();
        assert!(error.contains("--username"), "{error}");
    }
}
