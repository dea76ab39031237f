//! What a lane's sending end does with losses, windows and nonsense.

use super::*;

fn received(next: u16, window: u16, beyond: &[u8]) -> Received<'_> {
    Received { next, window, beyond }
}

fn sender(bytes: usize) -> Sender {
    let mut sender = Sender::new();
    sender.reset(LANE_BYTES as u16);
    for index in 0..bytes {
        sender.write(&[index as u8]);
    }
    sender
}

/// Sends one segment and returns its offset and length.
fn send(sender: &mut Sender, size: usize, number: u16) -> Option<(u16, usize)> {
    let slice = sender.next_slice(size)?;
    sender.mark_sent(slice, number);
    let (offset, first, second) = sender.read(slice);
    assert_eq!(first.len() + second.len(), slice.length);
    Some((offset, slice.length))
}

#[test]
fn what_was_lost_goes_first_in_any_size() {
    let mut sender = sender(300);
    assert_eq!(send(&mut sender, 128, 1), Some((0, 128)));
    assert_eq!(send(&mut sender, 128, 2), Some((128, 128)));
    assert_eq!(send(&mut sender, 128, 3), Some((256, 44)));
    assert_eq!(send(&mut sender, 128, 4), None);
    // Only the second arrived: granules 4 to 7.
    let outcome = sender.acknowledge(2, &received(0, 8000, &[0b0111_1000]));
    let expected = Outcome { has_progress: true, lost_segments: 1 };
    assert_eq!(outcome, expected, "the third may still be on its way");
    assert_eq!(send(&mut sender, 64, 4), Some((0, 64)));
    assert_eq!(send(&mut sender, 64, 5), Some((64, 64)));
    assert_eq!(send(&mut sender, 64, 6), None);
    let outcome = sender.acknowledge(5, &received(256, 8000, &[]));
    assert_eq!(outcome.lost_segments, 1, "the third");
    assert_eq!(send(&mut sender, 32, 7), Some((256, 32)));
    assert_eq!(send(&mut sender, 32, 8), Some((288, 12)));
    sender.acknowledge(8, &received(300, 8000, &[]));
    assert!(!sender.is_in_flight() && !sender.has_lost());
    assert_eq!(sender.space(), LANE_BYTES - 300 % GRANULE);
}

#[test]
fn a_granule_sent_in_part_is_sent_again_from_its_beginning() {
    let mut sender = sender(40);
    assert_eq!(send(&mut sender, 1024, 1), Some((0, 40)));
    sender.write(&[7; 10]);
    assert_eq!(send(&mut sender, 1024, 2), Some((32, 18)));
    sender.acknowledge(1, &received(40, 8000, &[]));
    sender.write(&[7; 10]);
    assert_eq!(send(&mut sender, 1024, 3), Some((40, 20)));
}

#[test]
fn nonsense_is_ignored() {
    let mut sender = sender(100);
    send(&mut sender, 64, 1);
    for next in [65, 100, 0x8000, 0xFFFF] {
        let outcome = sender.acknowledge(1, &received(next, 8000, &[0xFF; 40]));
        assert_eq!(outcome, Outcome::default());
    }
    // Granules that were never sent can not have arrived.
    sender.acknowledge(0, &received(0, 8000, &[0xFF; 40]));
    assert_eq!(send(&mut sender, 64, 2), Some((64, 36)));
    assert_eq!(sender.acknowledge(0x7FFF, &received(0, 8000, &[])).lost_segments, 2);
}

#[test]
fn the_window_holds_back_crumbs_but_not_for_ever() {
    let mut sender = Sender::new();
    sender.reset(100);
    sender.write(&[1; 1000]);
    assert_eq!(send(&mut sender, 64, 1), Some((0, 64)));
    assert_eq!(send(&mut sender, 64, 2), None, "36 bytes are a crumb");
    sender.acknowledge(1, &received(64, 36, &[]));
    assert_eq!(send(&mut sender, 64, 2), Some((64, 36)), "nothing else is coming");
    sender.acknowledge(2, &received(100, 0, &[]));
    assert!(sender.is_blocked());
    assert_eq!(sender.next_slice(64), None);
}

#[test]
fn only_the_oldest_segment_is_given_up_at_a_time() {
    let mut sender = sender(200);
    for number in 1..=3 {
        send(&mut sender, 64, number);
    }
    assert!(sender.expire_oldest());
    assert_eq!(send(&mut sender, 1024, 4), Some((0, 64)));
    assert_eq!(send(&mut sender, 1024, 5), Some((192, 8)));
    assert_eq!(sender.acknowledge(5, &received(64, 8000, &[])).lost_segments, 2);
    assert_eq!(send(&mut sender, 1024, 6), Some((64, 128)), "both in one");
    assert!(sender.expire_oldest());
    assert!(sender.expire_oldest());
    assert!(!sender.expire_oldest());
}

#[test]
fn segment_numbers_wrap() {
    let mut sender = sender(128);
    send(&mut sender, 32, 0xFFFE);
    send(&mut sender, 32, 0xFFFF);
    send(&mut sender, 32, 0);
    send(&mut sender, 32, 1);
    assert_eq!(sender.acknowledge(0, &received(0, 8000, &[0b10])).lost_segments, 2);
    assert_eq!(send(&mut sender, 1024, 2), Some((0, 64)));
}
