//! What a device says of itself: its group and its commands.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::proof::Proof;
use crate::limits::{ATTEMPTS, BACKOFF_MS, PATIENCE_MS, TIMEOUT_MS, within};

/// How many commands a device may announce.
pub(crate) const MAX_COMMANDS: usize = 1024;

/// Group and commands of a device, as it announced them. Unknown fields are ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    #[serde(default)]
    pub(crate) commands: Vec<Command>,
}

/// What a gateway keeps of a device at the broker: its manifest, and that it has shown its key.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    pub(crate) manifest: Manifest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<Proof>,
}

/// One command of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Command {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input_schema: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<Retry>,
}

/// How often a command is sent when no answer comes, and how long to wait in between; doubled each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Retry {
    pub(crate) max_attempts: u32,
    pub(crate) backoff_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 3, backoff_ms: 1000 }
    }
}

/// How long a device may take for a command when its manifest does not say.
pub(crate) const DEFAULT_TIMEOUT_MS: u64 = 30_000;

impl Retry {
    /// What a gateway makes of it: a manifest that asks for a storm, or for no end, is not obeyed.
    #[must_use]
    fn bounded(self) -> Self {
        Self {
            max_attempts: within(self.max_attempts, &ATTEMPTS),
            backoff_ms: within(self.backoff_ms, &(PATIENCE_MS.1..=*BACKOFF_MS.end())),
        }
    }
}

impl Command {
    /// How often it is sent, and how long each answer may take, as far as a gateway goes along.
    pub(crate) fn terms(&self) -> (Retry, u64) {
        let timeout_ms = self.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        let timeout_ms = within(timeout_ms, &(PATIENCE_MS.0..=*TIMEOUT_MS.end()));
        (self.retry.unwrap_or_default().bounded(), timeout_ms)
    }
}

impl Manifest {
    /// The command of that name.
    pub(crate) fn command(&self, name: &str) -> Option<&Command> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// What a gateway refuses in a manifest.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        if self.commands.len() > MAX_COMMANDS {
            return Err("it has more than 1024 commands");
        }
        if self.commands.iter().any(|command| command.name.is_empty()) {
            return Err("a command has no name");
        }
        let mut names: Vec<&str> = self.commands.iter().map(|command| command.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err("two commands have the same name");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_clients_manifest_is_read() {
        let text = r#"{"status":"online","apiKey":"k","group":null,"commands":[{"name":"read","description":"Reads",
            "inputSchema":{"type":"object"},"timeoutMs":5000,"retry":{"maxAttempts":5,"backoffMs":20}},{"name":"b","description":""}]}"#;
        let manifest: Manifest = serde_json::from_str(text).unwrap();
        manifest.validate().unwrap();
        let read = manifest.command("read").unwrap();
        assert_eq!(read.timeout_ms, Some(5000));
        assert_eq!(read.retry, Some(Retry { max_attempts: 5, backoff_ms: 20 }));
        assert_eq!(manifest.command("b").unwrap().retry, None);
        assert_eq!(manifest.command("c"), None);
        let kept = serde_json::to_string(&manifest).unwrap();
        assert!(!kept.contains("apiKey"), "{kept}");
        assert_eq!(serde_json::from_str::<Manifest>(&kept).unwrap(), manifest);
    }

    #[test]
    fn what_a_manifest_asks_for_is_bounded() {
        let terms = |text: &str| serde_json::from_str::<Command>(text).unwrap().terms();
        let storm = r#"{"name":"a","timeoutMs":0,"retry":{"maxAttempts":4294967295,"backoffMs":0}}"#;
        assert_eq!(terms(storm), (Retry { max_attempts: 1000, backoff_ms: 10 }, 100));
        let never = r#"{"name":"a","timeoutMs":18446744073709551615,"retry":{"maxAttempts":0,"backoffMs":18446744073709551615}}"#;
        assert_eq!(terms(never), (Retry { max_attempts: 1, backoff_ms: 3_600_000 }, 3_600_000));
        assert_eq!(terms(r#"{"name":"a"}"#), (Retry::default(), DEFAULT_TIMEOUT_MS));
    }

    #[test]
    fn a_manifest_with_two_commands_of_one_name_is_refused() {
        let manifest: Manifest =
            serde_json::from_str(r#"{"commands":[{"name":"a"},{"name":"b"},{"name":"a"}]}"#).unwrap();
        assert_eq!(manifest.validate(), Err("two commands have the same name"));
        let manifest: Manifest = serde_json::from_str(r#"{"commands":[{"name":""}]}"#).unwrap();
        assert!(manifest.validate().is_err());
    }
}
