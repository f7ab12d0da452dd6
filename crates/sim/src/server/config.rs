//! How a server behaves, and the faults that a test makes it have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mqtt_device_core::Duration;
use mqtt_device_proto::ReasonCode;

/// What is set once.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Messages that are sent to a client and not acknowledged; more wait. Mosquitto's default is 20.
    pub window: usize,
    /// Messages that wait for one client; more are lost.
    pub queue: usize,
    /// Who may connect: user names and passwords. `None` lets everybody in.
    pub users: Option<BTreeMap<String, Vec<u8>>>,
    /// The answer to wrong credentials.
    pub refusal: ReasonCode,
    /// The longest packet taken.
    pub maximum_packet_size: u32,
    /// The will of a client that another one of its name pushed out comes that much later, as in a cluster.
    pub will_delay: Duration,
    /// What must never be seen in a topic, a will, a retained message or a client identifier.
    pub secrets: Vec<Vec<u8>>,
    /// How late a packet may be by the Keep Alive time, for the delay of the link.
    pub keep_alive_slack: Duration,
    /// Whether somebody calls [`Server::delivered`](super::Server::delivered). Without it, bytes count as received
    /// when they are taken from the server.
    pub confirms_delivery: bool,
    /// Whether a repeated SUBSCRIBE counts as a breach of [`Rule::SubscribedAgain`](super::Rule::SubscribedAgain).
    pub checks_resubscription: bool,
}

impl Default for ServerConfig {
    /// Lets everybody in; 20 in flight, 1000 waiting, packets up to 1 MiB.
    fn default() -> Self {
        Self {
            window: 20,
            queue: 1000,
            users: None,
            refusal: ReasonCode::BAD_USER_NAME_OR_PASSWORD,
            maximum_packet_size: 1 << 20,
            will_delay: Duration::ZERO,
            secrets: Vec::new(),
            keep_alive_slack: Duration::from_secs(2),
            confirms_delivery: false,
            checks_resubscription: false,
        }
    }
}

/// What goes wrong from now on, until the test says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// PINGREQ is not answered.
    pub ignore_pings: bool,
    /// What comes is lost on its way. Only the end of the connection may follow.
    pub loses_input: bool,
    /// CONNECT is not answered.
    pub ignore_connects: bool,
    /// SUBSCRIBE is not answered.
    pub ignore_subscribes: bool,
    /// PUBLISH is not acknowledged until [`Server::release_acks`](super::Server::release_acks).
    pub withhold_acks: bool,
    /// So many times nobody listens.
    pub refuse_transports: u32,
    /// The next CONNECTs are refused for these reasons.
    pub refuse_connects: VecDeque<ReasonCode>,
    /// These filters are refused.
    pub refuse_filters: BTreeSet<String>,
}

/// In which order acknowledgements that were held back are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the messages came.
    Received,
    /// The other way round, which MQTT allows a server only across topics; a client must not care.
    Reversed,
}

/// What a server that was killed remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Sessions, their messages, and retained messages.
    Kept,
    /// Nothing.
    Lost,
}
