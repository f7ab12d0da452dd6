//! What a link promises.

use super::*;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn link(config: LinkConfig) -> Link {
    Link::new(config, Rng::new(3))
}

fn server_gets(link: &mut Link, now: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    while let Read::Bytes(bytes) = link.server_read(now) {
        all.extend(bytes);
    }
    all
}

#[test]
fn bytes_arrive_in_order_whatever_the_pieces_and_delays() {
    let config = LinkConfig { piece: 1..=3, delay: 0..=50, capacity: usize::MAX, ..LinkConfig::rough() };
    let mut link = link(config);
    let sent: Vec<u8> = (0..200).collect();
    assert_eq!(link.write(at(10), &sent), Some(200));
    let mut got = Vec::new();
    while let Some(next) = link.next() {
        got.extend(server_gets(&mut link, next));
    }
    assert_eq!(got, sent);
}

#[test]
fn a_full_link_takes_a_part_and_is_flushed_when_bytes_left() {
    let config = LinkConfig { capacity: 4, flush: 5..=5, ..LinkConfig::perfect() };
    let mut link = link(config);
    assert_eq!(link.write(at(0), b"abcdef"), Some(4));
    assert_eq!(link.write(at(0), b"ef"), Some(0));
    assert_eq!((link.unflushed(at(4)), link.unflushed(at(5))), (4, 0));
    assert_eq!(server_gets(&mut link, at(5)), b"abcd");
}

#[test]
fn a_cut_after_n_bytes_sent_lets_exactly_n_through() {
    for n in 0..6 {
        let mut link = link(LinkConfig { piece: 1..=4, ..LinkConfig::perfect() });
        link.cut_after_sent(Some(n));
        link.write(at(0), b"abcdef");
        assert_eq!(server_gets(&mut link, at(1)), &b"abcdef"[..n as usize]);
        assert_eq!(link.read(at(1), 9), Read::Closed, "the machine sees it at once");
        assert_eq!(link.server_read(at(1)), Read::Closed);
        assert!(link.is_over());
    }
}

#[test]
fn a_cut_after_n_bytes_received_hands_over_n_and_then_the_end() {
    let mut link = link(LinkConfig::perfect());
    link.cut_after_received(Some(3));
    link.server_write(at(0), b"abcdef");
    assert_eq!(link.read(at(0), 9), Read::Bytes(b"abc".to_vec()));
    assert_eq!(link.read(at(0), 9), Read::Closed);
    assert_eq!(link.write(at(0), b"x"), None);
}

#[test]
fn a_server_may_notice_a_cut_late_or_never() {
    for (notices, at_nine, at_ten) in
        [(Some(Duration::from_millis(10)), Read::Nothing, Read::Closed), (None, Read::Nothing, Read::Nothing)]
    {
        let mut link = link(LinkConfig { server_notices: notices, ..LinkConfig::perfect() });
        link.cut(at(0));
        assert_eq!(link.server_read(at(9)), at_nine);
        assert_eq!(link.server_read(at(10)), at_ten);
    }
}

#[test]
fn a_stall_holds_everything_back_and_lets_it_go_afterwards() {
    let mut link = link(LinkConfig::perfect());
    link.stall(at(100));
    link.write(at(0), b"up");
    link.server_write(at(0), b"down");
    assert_eq!((link.server_read(at(99)), link.read(at(99), 9)), (Read::Nothing, Read::Nothing));
    assert_eq!(link.next(), Some(at(100)));
    assert_eq!(server_gets(&mut link, at(100)), b"up");
    assert_eq!(link.read(at(100), 9), Read::Bytes(b"down".to_vec()));
}

#[test]
fn closing_in_order_lets_what_was_written_arrive() {
    let mut link = link(LinkConfig { delay: 5..=5, ..LinkConfig::perfect() });
    link.write(at(0), b"bye");
    link.close();
    assert_eq!(link.server_read(at(4)), Read::Nothing);
    assert_eq!(link.server_read(at(5)), Read::Bytes(b"bye".to_vec()));
    assert_eq!(link.server_read(at(5)), Read::Closed);
}

#[test]
fn a_server_that_closes_is_heard_to_the_end() {
    let mut link = link(LinkConfig::perfect());
    link.server_write(at(0), b"no");
    link.server_close();
    assert_eq!(link.read(at(0), 9), Read::Bytes(b"no".to_vec()));
    assert_eq!(link.read(at(0), 9), Read::Closed);
    assert!(!link.is_open());
}
