//! The bytes of a file, field by field. A change here is a new format version.
#![allow(clippy::unwrap_used)]

use model_format::{
    AlignedBytes, ArchitectureSpec, Persona, Provenance, Rhythm, SamplerDefaults, Style,
    TensorRole, WeightFormat, WispBuilder,
};
use sha2::{Digest, Sha256};

/// Every field has its own value, and every weight format occurs.
fn file() -> AlignedBytes {
    let spec = ArchitectureSpec {
        dim: 8,
        heads: 2,
        kv_heads: 1,
        vocabulary: 300,
        context: 512,
        rope_theta: 10_000.0,
        norm_epsilon: 1e-5,
        tied: false,
        hidden: vec![12],
    };
    let persona = Persona {
        name: "Wisp",
        style: Style::Chat { begin: 1, you: 3, wisp: 4, end: 2, gaps: [5, 6, 7, 8, 299] },
        sampler: SamplerDefaults {
            temperature_milli: 800,
            top_p_milli: 900,
            repetition_penalty_milli: 1100,
            max_reply_tokens: 100,
        },
        rhythm: Some(Rhythm {
            reply_rate_milli: 778,
            burst_length_milli: 1045,
            first_speech_milli: 317,
            longest_unanswered: 7,
        }),
        provenance: Provenance { source: "s", training: "tt", licences: "MIT" },
    };
    let mut builder = WispBuilder::new(spec, persona).unwrap();
    builder.tokenizer(b"tokens");
    for (role, layer, (rows, cols)) in builder.needed() {
        let format = match role {
            TensorRole::TokenEmbedding => WeightFormat::Fp8E4M3,
            TensorRole::Classifier => WeightFormat::F32,
            TensorRole::AttentionOutput | TensorRole::Down => WeightFormat::Int4,
            _ => WeightFormat::Int8,
        };
        let weights: Vec<f32> = (0..rows * cols).map(|index| index as f32).collect();
        builder.tensor(role, layer, format, &weights).unwrap();
    }
    builder.build().unwrap()
}

/// One record of the table: role, format, layer, rows, cols, data, scales.
fn record(role: u8, format: u8, fields: [u32; 4]) -> Vec<u8> {
    let mut bytes = vec![role, format, 0, 0];
    bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
    bytes.extend([0; 12]);
    bytes
}

#[test]
fn every_byte_before_the_body_is_pinned() {
    let file = file();
    let body = &file[512..];

    let mut expected = Vec::new();
    expected.extend(b"WISP");
    expected.extend([3, 0]); // format version
    expected.extend([0, 0]); // reserved
    expected.extend([95, 0, 0, 0]); // bytes of the header
    expected.extend([12, 0, 0, 0]); // tensors
    expected.extend(512u32.to_le_bytes()); // where the body begins
    expected.extend(17_024u32.to_le_bytes()); // bytes of the body
    expected.extend([0; 4]); // reserved
    expected.extend([0; 4]); // checksum, filled in below

    // Body record.
    expected.extend(Sha256::digest(body));
    expected.extend([0, 6]); // tokenizer: offset, length
    // Architecture.
    expected.extend([8, 2, 1]); // dim, heads, key-value heads
    expected.extend([0xac, 0x02]); // vocabulary 300 = 0b10_0101100
    expected.extend([0x80, 0x04]); // context 512 = 0b100_0000000
    expected.extend(10_000f32.to_le_bytes());
    expected.extend(1e-5f32.to_le_bytes());
    expected.extend([0]); // not tied
    expected.extend([4, 12, 0, 0, 0]); // 4 bytes: hidden width of the only layer
    // Persona.
    expected.extend(b"\x04Wisp");
    expected.extend([1, 1, 3, 4, 2]); // chat: begin, you, wisp, end
    expected.extend([5, 6, 7, 8, 0xab, 0x02]); // gaps
    expected.extend([0xa0, 0x06]); // temperature 800
    expected.extend([0x84, 0x07]); // top-p 900
    expected.extend([0xcc, 0x08]); // repetition penalty 1100
    expected.extend([100]); // longest reply
    expected.extend([1, 0x8a, 0x06]); // a rhythm: reply rate 778
    expected.extend([0x95, 0x08]); // burst length 1045
    expected.extend([0xbd, 0x02]); // first speech 317
    expected.extend([7]); // longest unanswered
    expected.extend(b"\x01s\x02tt\x03MIT"); // provenance
    assert_eq!(expected.len(), 32 + 95);

    // Sections begin at the next multiple of 64 after the one before.
    let table = [
        record(0, 1, [300, 8, 64, 2496]), // embedding: 2400 bytes, 300 scales
        record(1, 0, [1, 8, 3712, 0]),    // attention norm
        record(2, 2, [8, 8, 3776, 0]),    // query: 2 int8 blocks of 272 bytes
        record(3, 2, [4, 8, 4352, 0]),    // key: 1
        record(4, 2, [4, 8, 4672, 0]),    // value: 1
        record(5, 3, [8, 8, 4992, 0]),    // attention output: 2 int4 blocks of 144 bytes
        record(6, 0, [1, 8, 5312, 0]),    // feed-forward norm
        record(7, 2, [12, 8, 5376, 0]),   // gate: 3 int8 blocks
        record(8, 2, [12, 8, 6208, 0]),   // up: 3
        record(9, 3, [8, 12, 7040, 0]),   // down: 2 int4 blocks
        record(10, 0, [1, 8, 7360, 0]),   // final norm
        record(11, 0, [300, 8, 7424, 0]), // classifier
    ];
    expected.extend(table.concat());
    expected.resize(512, 0);

    let mut checked = expected.clone();
    checked.drain(28..32);
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&checked);
    expected[28..32].copy_from_slice(&checksum.to_le_bytes());

    assert_eq!(&file[..512], &expected[..]);
    // The weights enter the digest, and the digest enters the checksum: this pins the body too.
    assert_eq!(checksum, 0x8b15_d0ea);
}

#[test]
fn weights_lie_row_by_row_and_scales_after_them() {
    let file = file();
    let body = &file[512..];
    assert_eq!(&body[..6], b"tokens");
    // Embedding, row 1 is 8..=15: scale 15/448, and 15 becomes 448 (0x7e).
    assert_eq!(body[64 + 15], 0x7e);
    assert_eq!(&body[2496 + 4..2496 + 8], &(15f32 / 448.0).to_le_bytes());
    // Classifier, weight 2.
    assert_eq!(&body[7424 + 8..7424 + 12], &2f32.to_le_bytes());
    assert_eq!(body.len(), 7424 + 300 * 8 * 4);
}

#[test]
fn blocks_of_bytes_share_lanes() {
    let file = file();
    let block = &file[512 + 3776..][..272];
    // Query, row 1 is 8..=15: a unit is 15/127, so its weights are 67.7, 76.2, 84.7, 93.1, and in
    // the next word 101.6, 110.1, 118.5, 127. All but the first of a word lose byte / 256.
    assert_eq!(&block[4..8], &[68, 76, 84, 93]); // 76.2 - 68/256 = 75.9
    assert_eq!(&block[20..24], &[102, 110, 118, 127]); // 127 - 118/256 = 126.5
    // Padded columns: nothing; then the scale in units of 1/256.
    assert!(block[32..256].iter().all(|&byte| byte == 0));
    assert_eq!(&block[260..264], &(15.0 * (1.0 / (127.0 * 256.0f32))).to_le_bytes());
    // The second block is rows 4 to 7, of which the last is 56..=63.
    let block = &file[512 + 3776 + 272..][..272];
    assert_eq!(&block[28..32], &[121, 122, 125, 127]); // 60, 61, 62, 63 in units of 63/127
    assert_eq!(&block[268..272], &(63.0 * (1.0 / (127.0 * 256.0f32))).to_le_bytes());
}

#[test]
fn blocks_of_nibbles_share_lanes() {
    let file = file();
    // Attention output, rows 4 to 7, of which row 6 is 48..=55.
    let block = &file[512 + 4992 + 144..][..144];
    let field = |at: usize| <[u8; 4]>::try_from(&block[at..at + 4]).unwrap();
    let word = u32::from_le_bytes(field(4 * 2));
    let scale = f32::from_le_bytes(field(128 + 4 * 2));
    for column in 0..8 {
        // The nibble of this column at the top of 16 bits, above the three before it.
        let lane = (u64::from(word) << 12 >> (4 * column)) as u16 as i16;
        let weight = f32::from(lane) * scale;
        assert!((weight - (48 + column) as f32).abs() < 55.0 / 14.0, "{column}: {weight}");
    }
    // Padded columns are nothing.
    assert!(block[16..128].iter().all(|&byte| byte == 0));
}
