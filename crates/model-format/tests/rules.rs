//! Each rule of the format, broken on its own in an otherwise whole file: the error names it and
//! where it is broken.
#![allow(clippy::unwrap_used)]

mod common;

use common::{at, file, fix_checksum};
use model_format::{
    AlignedBytes, ArchitectureSpec, BuildError, Cause, Field, FormatError, Model, Persona, Rhythm,
    Style, WeightFormat, WispBuilder, synthetic,
};

/// Places of the header's values in `common::file`.
const BODY_RECORD: usize = 32;
const TOKENIZER_OFFSET: usize = 64;
const TOKENIZER_LENGTH: usize = 65;
const ARCHITECTURE: usize = 66;
const DIM: usize = 66;
const HEADS: usize = 67;
const KV_HEADS: usize = 68;
const VOCABULARY: usize = 69;
const CONTEXT: usize = 70;
const ROPE_THETA: usize = 71;
const NORM_EPSILON: usize = 75;
const TIED: usize = 79;
const HIDDEN_BYTES: usize = 80;
const HIDDEN: usize = 81;
const PERSONA: usize = 89;
const NAME: usize = 90;
const STYLE: usize = 96;
const BEGIN: usize = 97;
const END: usize = 98;
const SAMPLER: usize = 99;

/// The error after some bytes were changed and the checksum made right again.
fn broken(mut file: AlignedBytes, changes: &[(usize, &[u8])]) -> FormatError {
    for (offset, bytes) in changes {
        file.as_mut_slice()[*offset..][..bytes.len()].copy_from_slice(bytes);
    }
    fix_checksum(file.as_mut_slice());
    Model::open(&file).unwrap_err()
}

#[test]
fn rules_of_the_prefix() {
    let f32_file = || file(WeightFormat::F32);
    let broken = |offset, bytes: &[u8]| {
        let mut file = f32_file();
        file.as_mut_slice()[offset..][..bytes.len()].copy_from_slice(bytes);
        Model::open(&file).unwrap_err()
    };
    assert_eq!(broken(0, b"wisp"), at(Cause::NotWisp, 0));
    assert_eq!(broken(4, &[1]), at(Cause::UnknownVersion(1), 4));
    assert_eq!(broken(4, &[2]), at(Cause::UnknownVersion(2), 4));
    assert_eq!(broken(6, &[1]), at(Cause::ReservedNotZero, 6));
    assert_eq!(broken(8, &[0xff; 4]), at(Cause::WrongLayout, 8));
    assert_eq!(broken(12, &[0xff; 4]), at(Cause::WrongLayout, 8));
    assert_eq!(broken(16, &[0xff; 4]), at(Cause::WrongLayout, 8));
    assert_eq!(broken(20, &[0xff; 4]), at(Cause::WrongLength, 20));
    assert_eq!(broken(24, &[1]), at(Cause::ReservedNotZero, 24));
    assert_eq!(broken(28, &[0; 4]), at(Cause::WrongChecksum, 28));
}

#[test]
fn rules_of_the_architecture() {
    let out_of_range = |field| at(Cause::OutOfRange(field), ARCHITECTURE);
    let cases: [(usize, &[u8], _); 18] = [
        (DIM, &[0], out_of_range(Field::Dim)),
        (HEADS, &[0], out_of_range(Field::Heads)),
        (HEADS, &[5], out_of_range(Field::Heads)),
        (KV_HEADS, &[0], out_of_range(Field::KvHeads)),
        (KV_HEADS, &[3], out_of_range(Field::KvHeads)),
        (VOCABULARY, &[0], out_of_range(Field::Vocabulary)),
        (CONTEXT, &[0], out_of_range(Field::Context)),
        (ROPE_THETA, &f32::NAN.to_le_bytes(), out_of_range(Field::RopeTheta)),
        (ROPE_THETA, &0.5f32.to_le_bytes(), out_of_range(Field::RopeTheta)),
        (NORM_EPSILON, &f32::INFINITY.to_le_bytes(), out_of_range(Field::NormEpsilon)),
        (NORM_EPSILON, &0f32.to_le_bytes(), out_of_range(Field::NormEpsilon)),
        (HIDDEN, &[0], out_of_range(Field::Hidden)),
        (HIDDEN + 4, &[0xff, 0xff, 0xff, 0xff], out_of_range(Field::Hidden)),
        (DIM, &[6], at(Cause::OddHeadSize, ARCHITECTURE)),
        (DIM, &[5], at(Cause::HeadsDoNotDivide, ARCHITECTURE)),
        (HEADS, &[3], at(Cause::HeadsDoNotDivide, ARCHITECTURE)),
        (TIED, &[2], at(Cause::HeaderMalformed, ARCHITECTURE)),
        // A list of widths longer than the header.
        (HIDDEN_BYTES, &[0x7f], at(Cause::HeaderMalformed, ARCHITECTURE)),
    ];
    for (offset, bytes, error) in cases {
        assert_eq!(broken(file(WeightFormat::F32), &[(offset, bytes)]), error, "{bytes:?}");
    }
    // Fewer bytes of widths than whole numbers.
    let error = broken(file(WeightFormat::F32), &[(HIDDEN_BYTES, &[7])]);
    assert_eq!(error, out_of_range(Field::Layers));
}

#[test]
fn rules_of_the_persona() {
    let cases: [(usize, &[u8], Cause); 8] = [
        (BEGIN, &[5], Cause::TokenOutOfRange),
        (END, &[0x7f], Cause::TokenOutOfRange),
        (STYLE, &[2], Cause::HeaderMalformed),
        (NAME, &[0xff], Cause::HeaderMalformed), // not UTF-8
        (SAMPLER, &[0xff, 0x7f], Cause::OutOfRange(Field::Sampler)), // temperature
        (SAMPLER + 2, &[0x80, 0], Cause::OutOfRange(Field::Sampler)), // top-p
        (SAMPLER + 4, &[0xe7, 7], Cause::OutOfRange(Field::Sampler)), // repetition penalty
        (SAMPLER + 6, &[0x80, 0], Cause::OutOfRange(Field::Sampler)), // longest reply
    ];
    for (offset, bytes, cause) in cases {
        let error = broken(file(WeightFormat::F32), &[(offset, bytes)]);
        assert_eq!(error, at(cause, PERSONA), "{offset} {bytes:?}");
    }
}

#[test]
fn rules_of_the_rhythm() {
    let possible = Rhythm {
        reply_rate_milli: 1000,
        burst_length_milli: 1000,
        first_speech_milli: 0,
        longest_unanswered: 1,
    };
    let spec = synthetic::tiny_architecture(true);
    let build = |rhythm| {
        let persona = Persona { rhythm: Some(rhythm), ..synthetic::persona() };
        synthetic::model(&spec, persona, b"", WeightFormat::F32, 1)
    };
    let file = build(possible).unwrap();
    assert_eq!(Model::open(&file).unwrap().persona().rhythm, Some(possible));
    for impossible in [
        Rhythm { reply_rate_milli: 1001, ..possible },
        Rhythm { burst_length_milli: 999, ..possible },
        Rhythm { burst_length_milli: 60_001, ..possible },
        Rhythm { first_speech_milli: 1001, ..possible },
        Rhythm { longest_unanswered: 0, ..possible },
    ] {
        let error = BuildError::Invalid(Cause::OutOfRange(Field::Rhythm));
        assert_eq!(build(impossible).err(), Some(error), "{impossible:?}");
    }
}

#[test]
fn rules_of_the_tokenizer_section() {
    let error = broken(file(WeightFormat::F32), &[(TOKENIZER_OFFSET, &[1])]);
    assert_eq!(error, at(Cause::SectionMisaligned, BODY_RECORD));
    // 200 bytes take a length of two bytes, which has room for one beyond the body.
    let spec = ArchitectureSpec { dim: 8, ..synthetic::tiny_architecture(true) };
    let format = WeightFormat::Fp8E4M3;
    let file = synthetic::model(&spec, synthetic::persona(), &[0; 200], format, 1).unwrap();
    assert_eq!(file[TOKENIZER_LENGTH..][..2], [0xc8, 0x01]);
    assert!(file.len() < 0x3fff);
    let error = broken(file, &[(TOKENIZER_LENGTH, &[0xff, 0x7f])]);
    assert_eq!(error, at(Cause::SectionOutOfBounds, BODY_RECORD));
}

#[test]
fn rules_of_the_table() {
    use WeightFormat::{F32, Fp8E4M3, Int4, Int8};
    // Places in the table, and of the fields in a record.
    const EMBEDDING: usize = 0;
    const NORM: usize = 1;
    const QUERY: usize = 2;
    const CLASSIFIER: usize = 20;
    const ROLE: usize = 0;
    const FORMAT: usize = 1;
    const LAYER: usize = 2;
    const ROWS: usize = 4;
    const COLS: usize = 8;
    const DATA: usize = 12;
    const SCALES: usize = 16;
    const RESERVED: usize = 20;
    let cases: [(WeightFormat, usize, usize, &[u8], Cause); 21] = [
        (F32, QUERY, ROLE, &[3], Cause::UnexpectedTensor),
        (F32, QUERY, ROLE, &[0xff], Cause::UnexpectedTensor),
        (F32, QUERY, LAYER, &[1], Cause::UnexpectedTensor),
        (F32, QUERY, FORMAT, &[4], Cause::UnknownFormat),
        (F32, QUERY, ROWS, &[5], Cause::WrongShape),
        (F32, QUERY, COLS, &[0], Cause::WrongShape),
        (F32, QUERY, ROWS, &[0xff; 8], Cause::WrongShape),
        (F32, NORM, FORMAT, &[1], Cause::NormNotF32),
        (F32, QUERY, DATA, &[1], Cause::SectionMisaligned),
        (F32, QUERY, DATA, &[0xc0, 0xff, 0xff, 0xff], Cause::SectionOutOfBounds),
        (F32, CLASSIFIER, DATA + 1, &[0x7f], Cause::SectionOutOfBounds),
        (F32, QUERY, SCALES, &[64], Cause::ReservedNotZero),
        (Int8, QUERY, SCALES, &[64], Cause::ReservedNotZero),
        (Int4, QUERY, SCALES, &[64], Cause::ReservedNotZero),
        (Fp8E4M3, QUERY, SCALES, &[4], Cause::SectionMisaligned),
        (Fp8E4M3, QUERY, SCALES, &[0xc0, 0xff, 0xff, 0xff], Cause::SectionOutOfBounds),
        // The formats differ in whether they have scales of their own, and in size.
        (Fp8E4M3, QUERY, FORMAT, &[2], Cause::ReservedNotZero),
        (Int4, CLASSIFIER, FORMAT, &[2], Cause::SectionOutOfBounds),
        (F32, EMBEDDING, RESERVED, &[1], Cause::ReservedNotZero),
        (F32, EMBEDDING, RESERVED + 11, &[1], Cause::ReservedNotZero),
        (F32, CLASSIFIER, RESERVED + 11, &[1], Cause::ReservedNotZero),
    ];
    for (format, place, field, bytes, cause) in cases {
        let file = file(format);
        let record = common::table_offset(&file) + place * 32;
        let error = broken(file, &[(record + field, bytes)]);
        assert_eq!(error, at(cause, record), "{place} {field} {bytes:?}");
    }
}

#[test]
fn a_table_of_another_length_than_the_architecture_needs_is_refused() {
    // Tied instead of untied: the classifier is one too many.
    let file = file(WeightFormat::F32);
    let table = common::table_offset(&file);
    assert_eq!(broken(file, &[(TIED, &[1])]), at(Cause::WrongTensorCount, table));
}

#[test]
fn chat_tokens_must_differ() {
    let persona = |you, wisp, end, last_gap| Persona {
        style: Style::Chat { begin: 1, you, wisp, end, gaps: [10, 11, 12, 13, last_gap] },
        ..synthetic::persona()
    };
    let build = |persona| {
        WispBuilder::new(synthetic::tiny_architecture(true), persona).map(|_| ()).unwrap_err()
    };
    let spec = synthetic::tiny_architecture(true);
    assert!(WispBuilder::new(spec, persona(2, 3, 4, 14)).is_ok());
    assert_eq!(build(persona(2, 2, 4, 14)), BuildError::Invalid(Cause::TokensNotDistinct));
    assert_eq!(build(persona(2, 3, 10, 14)), BuildError::Invalid(Cause::TokensNotDistinct));
    assert_eq!(build(persona(2, 3, 4, 67)), BuildError::Invalid(Cause::TokenOutOfRange));
}

#[test]
fn a_name_is_neither_empty_nor_long_nor_hostile_to_terminals() {
    let build = |name: &str| {
        let persona = Persona { name, ..synthetic::persona() };
        WispBuilder::new(synthetic::tiny_architecture(true), persona).map(|_| ())
    };
    let refused = Err(BuildError::Invalid(Cause::OutOfRange(Field::Name)));
    assert_eq!(build(""), refused);
    assert_eq!(build(&"n".repeat(65)), refused);
    assert_eq!(build("a\u{1b}[2J"), refused);
    assert_eq!(build(&"n".repeat(64)), Ok(()));
    assert_eq!(build("Zoë ☺"), Ok(()));
}

#[test]
fn a_header_that_is_too_long_is_refused_by_the_writer() {
    let licences = "l".repeat(64 * 1024);
    let mut persona = synthetic::persona();
    persona.provenance.licences = &licences;
    let spec = synthetic::tiny_architecture(true);
    let error = synthetic::model(&spec, persona, &[], WeightFormat::F32, 1).unwrap_err();
    assert!(matches!(error, BuildError::HeaderTooLong { .. }), "{error}");
}

#[test]
fn limits_hold() {
    let refused = |change: fn(&mut ArchitectureSpec)| {
        let mut spec = synthetic::tiny_architecture(true);
        change(&mut spec);
        WispBuilder::new(spec, synthetic::persona()).map(|_| ()).unwrap_err()
    };
    let out_of_range = |field| BuildError::Invalid(Cause::OutOfRange(field));
    assert_eq!(refused(|spec| spec.dim = 16_388), out_of_range(Field::Dim));
    assert_eq!(refused(|spec| spec.hidden = vec![4; 257]), out_of_range(Field::Layers));
    assert_eq!(refused(|spec| spec.hidden = vec![]), out_of_range(Field::Layers));
    assert_eq!(refused(|spec| spec.hidden = vec![65_537]), out_of_range(Field::Hidden));
    assert_eq!(refused(|spec| spec.vocabulary = (1 << 20) + 1), out_of_range(Field::Vocabulary));
    assert_eq!(refused(|spec| spec.context = (1 << 20) + 1), out_of_range(Field::Context));
}
