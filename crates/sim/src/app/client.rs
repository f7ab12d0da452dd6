//! An application on a [`Client`]: it keeps what it is told, and acknowledges at once or when the test says so.

use std::collections::VecDeque;

use mqtt_device_core::{
    AckToken, Client, Credentials, Event, Instant, Machine, MessageKey, NoRoom, Notice, Outcome, Publication,
    PublishError, Source, Storage,
};
use mqtt_device_proto::{QoS, Subscription, TopicFilter, TopicName, Will};

use super::{App, Ledger};
use crate::packet::ApplicationMessage;

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When.
    pub at: Instant,
    /// What.
    pub message: ApplicationMessage,
    /// Whether the server said that it may have come before.
    pub dup: bool,
}

/// Keeps everything; see its fields.
#[derive(Clone, Debug, Default)]
pub struct ClientApp {
    /// Each time the server accepted a connection: whether it had the session.
    pub connected: Vec<bool>,
    /// Messages in order of arrival.
    pub deliveries: Vec<Delivery>,
    /// Messages that were too large: topic and size of the packet.
    pub oversize: Vec<(Option<String>, u32)>,
    /// Notices with their time.
    pub notices: Vec<(Instant, Notice)>,
    /// What was published, and how it ended.
    pub ledger: Ledger,
    /// Acknowledgements that the test is to give, in order of arrival.
    pub held: VecDeque<AckToken>,
    /// Whether messages are acknowledged as they arrive. Matters only without automatic acknowledgement.
    pub holds: bool,
}

impl ClientApp {
    /// The bodies of all messages that arrived, as text.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        self.deliveries.iter().map(|d| d.message.text()).collect()
    }

    /// How many notices of a kind came.
    #[must_use]
    pub fn count(&self, is: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|(_, notice)| is(notice)).count()
    }

    /// Publishes, and puts it in the books.
    ///
    /// # Errors
    /// The machine's.
    pub fn publish<S: Storage>(
        &mut self,
        now: Instant,
        client: &mut Client<S>,
        publication: &Publication<'_>,
        payload: &[u8],
    ) -> Result<MessageKey, PublishError> {
        let key = client.publish(now, publication, payload)?;
        self.ledger.accepted(key);
        Ok(key)
    }
}

impl<S: Storage> App<Client<S>> for ClientApp {
    fn event(&mut self, now: Instant, client: &mut Client<S>, event: Event<'_>) {
        match event {
            Event::Connected { session_present } => self.connected.push(session_present),
            Event::Message(m) => {
                let message = ApplicationMessage {
                    topic: m.topic.as_str().into(),
                    payload: m.payload.into(),
                    qos: m.qos,
                    retain: m.retain,
                };
                self.deliveries.push(Delivery { at: now, message, dup: m.dup });
                match m.ack {
                    Some(token) if self.holds => self.held.push_back(token),
                    Some(token) => drop(client.acknowledge(token)),
                    None => {}
                }
            }
            Event::Oversize(o) => self.oversize.push((o.topic.map(|t| t.as_str().into()), o.total)),
            _ => {}
        }
    }

    fn outcome(&mut self, _now: Instant, _client: &mut Client<S>, key: MessageKey, outcome: Outcome) {
        self.ledger.ended(key, outcome);
    }

    fn notice(&mut self, now: Instant, _client: &mut Client<S>, notice: Notice) {
        self.notices.push((now, notice));
    }

    fn check(&self, client: &Client<S>) -> Result<(), String> {
        self.ledger.check(Some(client.pending()))
    }
}

/// Who the client is and what it wants to hear.
#[derive(Clone, Debug)]
pub struct ClientSource {
    /// The Client Identifier.
    pub client_id: String,
    /// User name and password.
    pub login: Option<(String, Vec<u8>)>,
    /// The will.
    pub will: Option<ApplicationMessage>,
    /// The declared subscriptions, at QoS 1.
    pub filters: Vec<String>,
}

impl ClientSource {
    /// Without login and will.
    #[must_use]
    pub fn new(client_id: &str, filters: &[&str]) -> Self {
        let filters = filters.iter().map(|&f| f.into()).collect();
        Self { client_id: client_id.into(), login: None, will: None, filters }
    }

    /// The source of a machine whose source is `dyn Source`.
    #[must_use]
    pub fn boxed<M: Machine<Source = dyn Source + Send + Sync>>(self) -> Box<M::Source> {
        Box::new(self)
    }
}

impl Source for ClientSource {
    fn credentials<'s>(&'s self, _unix_ms: Option<u64>, _scratch: &'s mut [u8]) -> Result<Credentials<'s>, NoRoom> {
        let will = self.will.as_ref().map(|will| Will {
            qos: will.qos,
            retain: will.retain,
            topic: TopicName::new(&will.topic).expect("the test's will has a valid topic"),
            payload: &will.payload,
            properties: Default::default(),
        });
        let (username, password) = self.login.as_ref().map(|(name, key)| (name.as_str(), key.as_slice())).unzip();
        Ok(Credentials { client_id: &self.client_id, username, password, will })
    }

    fn subscription<'s>(&'s self, index: u16, _scratch: &'s mut [u8]) -> Option<Subscription<'s>> {
        let filter = self.filters.get(usize::from(index))?;
        let filter = TopicFilter::new(filter).expect("the test's filters are valid");
        Some(Subscription::new(filter, QoS::AtLeastOnce))
    }
}
