//! Damaged tables are refused or harmless, and streamed text is whole.
#![allow(clippy::unwrap_used)]

mod common;

use common::table;
use proptest::prelude::*;
use tokenizer::{BuildError, Encoder, Kind, TableBuilder, TableError, Tokenizer, Utf8Stream};

/// Uses every part of a table that opens; nothing of it may panic.
fn exercise(table: &[u8]) -> Result<(), TableError> {
    let tokenizer = Tokenizer::open(table)?;
    let mut encoder = Encoder::new(64);
    let tokens = encoder.encode(&tokenizer, "Once upon a time: \u{1F600} <s>").unwrap();
    assert!(tokens.iter().all(|token| (*token as usize) < tokenizer.vocabulary()));
    assert!(tokens.iter().all(|token| tokenizer.kind(*token) != Some(Kind::Control)));
    for token in (0..tokenizer.vocabulary() as u32).step_by(7).chain([u32::MAX]) {
        let _ = tokenizer.decode(1, token);
        let _ = tokenizer.score(token);
    }
    Ok(())
}

#[test]
fn every_truncation_is_refused() {
    let table = table();
    exercise(&table).unwrap();
    for length in 0..table.len() {
        assert!(Tokenizer::open(&table[..length]).is_err(), "{length}");
    }
    assert_eq!(exercise(&[table.as_slice(), &[0]].concat()), Err(TableError::Length));
}

#[test]
fn every_changed_byte_is_refused_or_harmless() {
    let mut table = table();
    let mut refused = 0;
    for place in 0..table.len() {
        for change in [0x01, 0x80, 0xff] {
            table[place] ^= change;
            refused += usize::from(exercise(&table).is_err());
            table[place] ^= change;
        }
    }
    // Scores and most text bytes may be anything; offsets, ids, kinds and the header may not.
    assert!(refused > table.len(), "{refused} of {}", 3 * table.len());
}

#[test]
fn each_fault_has_its_name() {
    let table = table();
    let fault = |place: usize, value: u8| {
        let mut table = table.clone();
        table[place] = value;
        Tokenizer::open(&table).unwrap_err()
    };
    assert_eq!(fault(0, b'X'), TableError::Magic);
    assert_eq!(fault(4, 2), TableError::Version(2));
    assert_eq!(fault(6, 3), TableError::Scheme(3));
    assert_eq!(fault(7, 0x84), TableError::Flags(0x84));
    assert_eq!(fault(12, 3), TableError::Id(3));
    // A vocabulary of 768 instead of 512.
    assert_eq!(fault(9, 3), TableError::Length);
    assert_eq!(fault(32, 1), TableError::Offset(0));
    // The first score follows 513 offsets; 0x7fc0_0000 is a NaN.
    let mut nan = table.clone();
    nan[32 + 513 * 4..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(Tokenizer::open(&nan).unwrap_err(), TableError::Score(0));
    // Two lookup entries exchanged.
    let mut order = table.clone();
    let lookup = 32 + 513 * 4 + 512 * 4;
    order[lookup..lookup + 8].rotate_left(4);
    assert_eq!(Tokenizer::open(&order).unwrap_err(), TableError::Order(1));
}

#[test]
fn the_builder_refuses_what_would_not_open() {
    let builder = TableBuilder::new().token(*b"a", f32::INFINITY, Kind::Text);
    assert_eq!(builder.build(), Err(BuildError::Invalid(TableError::Score(0))));
    let builder = TableBuilder::new().token(*b"a", 0.0, Kind::Text).markers(Some(0), None, None);
    assert_eq!(builder.build(), Err(BuildError::Invalid(TableError::Id(0))));
    assert!(TableBuilder::new().build().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_open_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = exercise(&bytes);
        let mut table = table();
        let length = bytes.len().min(32);
        table[..length].copy_from_slice(&bytes[..length]);
        let _ = exercise(&table);
    }

    #[test]
    fn streamed_text_is_what_all_bytes_give_at_once(
        text in any::<String>(),
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cuts in prop::collection::vec(1usize..7, 1..40),
    ) {
        let mut bytes = text.into_bytes();
        for (place, value) in noise {
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
        }
        let mut streamed = String::new();
        let mut stream = Utf8Stream::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            stream.push(head, |piece| streamed.push_str(piece));
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        stream.finish(|piece| streamed.push_str(piece));
        prop_assert_eq!(streamed, String::from_utf8_lossy(&bytes));
    }
}
