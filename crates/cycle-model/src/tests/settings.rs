//! Arguments as a user writes them.

use crate::settings::{Refused, Settings};

#[test]
fn all_arguments() {
    let settings = Settings::parse([
        "latency=120",
        "line=97+71+0",
        "outstanding=2",
        "marker=0x1a300000",
        "vector=8000-8400:8",
        "vector=0x9000-0x9010:4",
        "vector=dot:2",
    ])
    .unwrap();
    assert_eq!(settings.latency, 120);
    assert_eq!(settings.lines, [97, 71, 0]);
    assert_eq!(settings.outstanding, 2);
    assert_eq!(settings.marker, Some(0x1A30_0000));
    assert_eq!(settings.vector_length(0x7FFC, None), 1);
    assert_eq!(settings.vector_length(0x8000, Some("other")), 8);
    assert_eq!(settings.vector_length(0x8400, None), 1);
    assert_eq!(settings.vector_length(0x900C, None), 4);
    assert!(settings.names_functions());
    assert_eq!(settings.vector_length(0x7FFC, Some("dot")), 2);
    assert_eq!(settings.speed(0), None);
    assert_eq!(settings.speed(97).unwrap().latency, 120);
}

#[test]
fn mistakes_are_named() {
    let unknown = Settings::parse(["tl=71"]).unwrap_err();
    assert_eq!(unknown, Refused::Unknown("tl=71".to_owned()));
    for wrong in [
        "latency=fast",
        "line=",
        "line=71+",
        "line=-1",
        "outstanding=0",
        "marker=here",
        "vector=:8",
        "vector=8000-9000",
        "vector=8000-9000:9",
        "vector=8000-9000:0",
    ] {
        let refused = Settings::parse([wrong]).unwrap_err();
        assert!(matches!(refused, Refused::Value { .. }), "{wrong}");
        assert!(refused.to_string().contains(wrong));
    }
}
