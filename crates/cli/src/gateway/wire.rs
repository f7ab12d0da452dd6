//! The bodies of the protocol's messages, as the server reads and writes them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;

use super::manifest::Command;

/// From a device: presence, or key and manifest. Not `Debug`: it may hold a key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) status: String,
    pub(crate) api_key: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) commands: Option<Vec<Command>>,
}

/// From a device: the answer to a command.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response {
    pub(crate) command_id: String,
    pub(crate) success: bool,
    pub(crate) data: Option<Value>,
    pub(crate) error: Option<String>,
}

/// From a device: a trigger.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trigger {
    pub(crate) trigger_name: String,
    #[serde(default = "empty_object")]
    pub(crate) payload: Value,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

/// To a device. Serialised as the fields of its variant alone.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum Body<'a> {
    Connected {
        message: &'a str,
    },
    TriggerAck {
        trigger_id: &'a str,
        received: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    },
    TriggerResult {
        trigger_name: &'a str,
        result: &'a Value,
    },
    Error {
        code: &'a str,
        message: &'a str,
    },
}

impl Body<'_> {
    /// The bytes to publish.
    pub(crate) fn write(&self) -> Vec<u8> {
        // Strings, numbers and JSON values: nothing here fails to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Reads a body. The error says where and what kind, and never repeats what stood there: it may have been a key.
pub(crate) fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, String> {
    serde_json::from_slice(payload).map_err(|error| {
        let what = match error.classify() {
            Category::Eof => "the JSON ends too early",
            Category::Data => "a field is missing or has the wrong type",
            Category::Syntax | Category::Io => "not JSON, or nested too deeply",
        };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_protocols_fields() {
        let text = |body: Body<'_>| String::from_utf8(body.write()).unwrap();
        assert_eq!(text(Body::Connected { message: "m" }), r#"{"message":"m"}"#);
        let ack = Body::TriggerAck { trigger_id: "t1", received: true, error: None };
        assert_eq!(text(ack), r#"{"triggerId":"t1","received":true}"#);
        let result = serde_json::json!([1]);
        let body = Body::TriggerResult { trigger_name: "hot", result: &result };
        assert_eq!(text(body), r#"{"triggerName":"hot","result":[1]}"#);
        assert_eq!(text(Body::Error { code: "c", message: "m" }), r#"{"code":"c","message":"m"}"#);
    }

    #[test]
    fn a_fault_is_placed_and_never_quoted() {
        for (text, says) in [
            (r#""sekrit""#, "wrong type (line 1"),
            (r#"{"status":"online","apiKey":["sekrit"]}"#, "wrong type (line 1, column 28"),
            (r#"{"status":"online","apiKey":"sekrit"#, "ends too early"),
            (r#"{"apiKey":"sekrit"}"#, "missing"),
            ("sekrit", "not JSON"),
        ] {
            let Err(fault) = read::<Status>(text.as_bytes()) else { panic!("{text} was read") };
            assert!(fault.contains(says) && !fault.contains("sekrit"), "{fault}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read::<Value>(deep.as_bytes()).unwrap_err().contains("nested too deeply"));
    }
}
