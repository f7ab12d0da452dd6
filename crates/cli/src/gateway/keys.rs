//! The file of API keys: which device may come with which key.

use core::fmt;

use super::names::DeviceId;
use super::proof::Proof;

/// A key that is compared and never shown.
#[derive(Clone)]
struct ApiKey(String);

impl ApiKey {
    const fn new(text: String) -> Self {
        Self(text)
    }

    /// Compares without telling by the time taken how much of `other` was right.
    fn is(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0_u8, |sum, (a, b)| sum | (a ^ b));
        ours.len() == theirs.len() && differing == 0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// Which keys a gateway accepts.
///
/// The file has one device per line, `agentId:deviceName key`. Either name may be `*`. The most exact line that fits a
/// device decides: once a device has a line of its own, the key of a wildcard does not open it. Several lines of the
/// same exactness are alternatives, for the time in which a key is changed. Empty lines and lines that begin with `#`
/// are skipped.
#[derive(Clone, Debug)]
pub(crate) enum KeyRing {
    /// Any key of any device.
    Open,
    /// Those of a file.
    Rules(Vec<Rule>),
}

/// One line of the file; `None` is `*`.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    agent: Option<String>,
    device: Option<String>,
    key: ApiKey,
}

/// What the keys say of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    UnknownDevice,
    WrongKey,
}

impl KeyRing {
    /// Reads the file's text.
    ///
    /// # Errors
    /// The number of the line and what is wrong with it; never its text, which may hold a key.
    pub(crate) fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut rules = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            rules.push(Rule::parse(line).map_err(|why| KeyFileError { line: number, why })?);
        }
        if rules.is_empty() {
            return Err(KeyFileError { line: 1, why: "the file names no device" });
        }
        Ok(Self::Rules(rules))
    }

    /// Whether that device may come with that key.
    pub(crate) fn check(&self, device: &DeviceId, key: &str) -> Verdict {
        let Self::Rules(rules) = self else { return Verdict::Accepted };
        let found = decisive(rules, device).map(|rule| rule.key.is(key)).reduce(|one, other| one || other);
        match found {
            None => Verdict::UnknownDevice,
            Some(true) => Verdict::Accepted,
            Some(false) => Verdict::WrongKey,
        }
    }

    /// Whether the device once showed a key with which it may come now.
    pub(crate) fn believe(&self, device: &DeviceId, proof: &Proof) -> bool {
        match self {
            Self::Open => true,
            Self::Rules(rules) => decisive(rules, device).any(|rule| proof.is_of(device, &rule.key.0)),
        }
    }

    /// Whether any line fits the device, whatever its key.
    pub(crate) fn names(&self, device: &DeviceId) -> bool {
        match self {
            Self::Open => true,
            Self::Rules(rules) => rules.iter().any(|rule| rule.fits(device)),
        }
    }

    /// How many lines name devices.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Open => 0,
            Self::Rules(rules) => rules.len(),
        }
    }
}

/// The most exact lines that fit the device.
fn decisive<'r>(rules: &'r [Rule], device: &DeviceId) -> impl Iterator<Item = &'r Rule> {
    let best = rules.iter().filter(|rule| rule.fits(device)).map(Rule::exactness).max();
    rules.iter().filter(move |rule| rule.fits(device) && Some(rule.exactness()) == best)
}

impl Rule {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let Some((names, key)) = line.split_once(char::is_whitespace) else { return Err("there is no key") };
        let Some((agent, device)) = names.split_once(':') else { return Err("there is no `:` between the two names") };
        let wild = |name: &str| (name != "*").then(|| name.to_owned());
        let (agent, device) = (wild(agent), wild(device));
        DeviceId::new(agent.as_deref().unwrap_or("any"), device.as_deref().unwrap_or("any"))
            .map_err(|_| "a name is empty, too long, or has a character that names must not have")?;
        Ok(Self { agent, device, key: ApiKey::new(key.trim().to_owned()) })
    }

    fn fits(&self, device: &DeviceId) -> bool {
        let fits = |rule: &Option<String>, name: &str| rule.as_deref().is_none_or(|rule| rule == name);
        fits(&self.agent, device.agent()) && fits(&self.device, device.device())
    }

    /// A line with both names goes before one with the agent's, that before one with the device's, that before `*:*`.
    fn exactness(&self) -> u8 {
        u8::from(self.agent.is_some()) * 2 + u8::from(self.device.is_some())
    }
}

/// A line of the key file that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyFileError {
    pub(crate) line: usize,
    pub(crate) why: &'static str,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: write one device per line, as `agentId:deviceName key`", self.line, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, device: &str, key: &str) -> Verdict {
        KeyRing::parse(text).unwrap().check(&device.parse().unwrap(), key)
    }

    #[test]
    fn a_device_comes_with_its_own_key_only() {
        let file = "# greenhouse\nacme:sensor-1 k1\n\nacme:sensor-2\tk 2 \n";
        assert_eq!(check(file, "acme:sensor-1", "k1"), Verdict::Accepted);
        assert_eq!(check(file, "acme:sensor-1", "k 2"), Verdict::WrongKey);
        assert_eq!(check(file, "acme:sensor-1", "k1x"), Verdict::WrongKey);
        assert_eq!(check(file, "acme:sensor-2", "k 2"), Verdict::Accepted);
        assert_eq!(check(file, "acme:sensor-3", "k1"), Verdict::UnknownDevice);
    }

    #[test]
    fn the_most_exact_line_decides() {
        let file = "*:* all\nacme:* agents\nacme:gate own\nacme:gate next";
        assert_eq!(check(file, "other:x", "all"), Verdict::Accepted);
        assert_eq!(check(file, "acme:x", "agents"), Verdict::Accepted);
        assert_eq!(check(file, "acme:x", "all"), Verdict::WrongKey);
        assert_eq!(check(file, "acme:gate", "agents"), Verdict::WrongKey);
        assert_eq!(check(file, "acme:gate", "own"), Verdict::Accepted);
        assert_eq!(check(file, "acme:gate", "next"), Verdict::Accepted);
    }

    #[test]
    fn a_bad_line_is_named_and_its_key_is_not_shown() {
        for (file, line) in [("a:b k\nnonsense sekrit", 2), ("a:b", 1), ("\n\n:b sekrit", 3), ("a/b:c sekrit", 1)] {
            let error = KeyRing::parse(file).unwrap_err();
            assert_eq!(error.line, line, "{file:?}");
            assert!(!error.to_string().contains("sekrit"), "{error}");
        }
        assert!(KeyRing::parse("# nothing\n").is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", KeyRing::parse("a:b sekrit").unwrap());
        assert!(shown.contains("<redacted>") && !shown.contains("sekrit"), "{shown}");
    }
}
