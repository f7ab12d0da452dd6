//! The JSON bodies the device sends, each a function that writes to a [`Window`], so that none needs a buffer of its
//! own length. They depend on their arguments alone: two runs write the same bytes.

use core::fmt;

use super::profile::{CommandSpec, Profile, commands};
use super::timestamp::Timestamp;
use crate::json::Window;

/// What the server waits for an answer when a command's definition does not say.
const DEFAULT_TIMEOUT_MS: u32 = 30_000;

/// The retained presence, and with `online` false the will: `{"status":"online","timestamp":T,"group"?:G}`.
///
/// Without a wall clock `unix_ms` is `None` and the timestamp `null`: no time rather than a wrong one.
pub fn status(online: bool, unix_ms: Option<u64>, group: Option<&str>, out: &mut Window<'_>) {
    out.raw(if online { br#"{"status":"online","timestamp":"# } else { br#"{"status":"offline","timestamp":"# });
    match unix_ms {
        Some(unix_ms) => {
            out.raw(b"\"");
            out.raw(&Timestamp { unix_ms }.to_ascii());
            out.raw(b"\"");
        }
        None => out.raw(b"null"),
    }
    if let Some(group) = group {
        out.raw(br#","group":"#);
        out.string(group);
    }
    out.raw(b"}");
}

/// The authentication, the only body with the key in it: `{"status":"online","apiKey":K,"group":G|null,"commands":[C…]}`.
pub fn auth(profile: &dyn Profile, group: Option<&str>, out: &mut Window<'_>) {
    out.raw(br#"{"status":"online","apiKey":"#);
    out.string(profile.api_key());
    out.raw(br#","group":"#);
    match group {
        Some(group) => out.string(group),
        None => out.raw(b"null"),
    }
    out.raw(br#","commands":["#);
    for (index, spec) in commands(profile).enumerate() {
        if index > 0 {
            out.raw(b",");
        }
        command(&spec, out);
    }
    out.raw(b"]}");
}

/// One definition: `{"name","description","inputSchema"?,"timeoutMs"?,"retry"?:{"maxAttempts","backoffMs"}}`.
fn command(spec: &CommandSpec<'_>, out: &mut Window<'_>) {
    out.raw(br#"{"name":"#);
    out.string(spec.name);
    out.raw(br#","description":"#);
    out.string(spec.description);
    if let Some(schema) = spec.input_schema {
        out.raw(br#","inputSchema":"#);
        out.raw(schema.trim_ascii().as_bytes());
    }
    if let Some(timeout) = spec.timeout_ms.filter(|&timeout| timeout != DEFAULT_TIMEOUT_MS) {
        out.raw(br#","timeoutMs":"#);
        out.u64(timeout.into());
    }
    if let Some(retry) = spec.retry {
        out.raw(br#","retry":{"maxAttempts":"#);
        out.u64(retry.max_attempts.into());
        out.raw(br#","backoffMs":"#);
        out.u64(retry.backoff_ms.into());
        out.raw(b"}");
    }
    out.raw(b"}");
}

/// A command's success: `{"commandId":I,"success":true,"data"?:D}`. `data` must be one JSON value.
pub fn response_ok(command_id: &str, data: Option<&[u8]>, out: &mut Window<'_>) {
    out.raw(br#"{"commandId":"#);
    out.string(command_id);
    out.raw(br#","success":true"#);
    if let Some(data) = data {
        out.raw(br#","data":"#);
        out.raw(data);
    }
    out.raw(b"}");
}

/// A command's failure: `{"commandId":I,"success":false,"error":E}`.
pub fn response_error(command_id: &str, error: &dyn fmt::Display, out: &mut Window<'_>) {
    out.raw(br#"{"commandId":"#);
    out.string(command_id);
    out.raw(br#","success":false,"error":"#);
    out.display(error);
    out.raw(b"}");
}

/// A trigger: `{"triggerName":N,"payload":P}`. `payload` must be one JSON value; without one it is `{}`.
pub fn trigger(name: &str, payload: Option<&[u8]>, out: &mut Window<'_>) {
    trigger_name(name, out);
    out.raw(br#","payload":"#);
    out.raw(payload.unwrap_or(b"{}"));
    out.raw(b"}");
}

/// Its beginning, in which triggers of one name agree and of two differ.
pub(crate) fn trigger_name(name: &str, out: &mut Window<'_>) {
    out.raw(br#"{"triggerName":"#);
    out.string(name);
}
