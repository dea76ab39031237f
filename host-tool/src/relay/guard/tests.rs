//! Nobody guesses a way in, and those who know one are let in.

use axum::http::HeaderValue;
use proptest::prelude::*;

use super::*;

const PORT: u16 = 4321;

/// Bytes that a header may hold, and many that look nearly right.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "(http://|https://)?(127\\.0\\.0\\.1|localhost|\\[::1\\]|evil)(:4321|:432|:43210)?/?"
            .prop_map(String::into_bytes),
        "wisp-(4321|4322)=[0-9a-f]{0,64}(; [a-z]=[a-z])?".prop_map(String::into_bytes),
        Just(b"same-origin".to_vec()),
        Just(b"websocket".to_vec()),
        Just(b"Upgrade".to_vec()),
    ]
}

fn header() -> impl Strategy<Value = (HeaderName, Vec<u8>)> {
    let names = [HOST, ORIGIN, COOKIE, UPGRADE, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];
    let names: Vec<_> = names.into_iter().chain([SEC_FETCH_SITE]).collect();
    (proptest::sample::select(names), value())
}

proptest! {
    /// Without the secret nothing is served, whatever else is sent; and nothing panics.
    #[test]
    fn nobody_guesses_a_way_in(
        headers in proptest::collection::vec(header(), 0..10),
        target in prop_oneof![
            Just("/".to_string()),
            Just("/live".to_string()),
            "/(\\?token=[0-9a-f]{0,64})?",
            "/[a-z./%]{0,20}",
        ],
        method in proptest::sample::select(vec![Method::GET, Method::POST, Method::OPTIONS]),
    ) {
        let guard = Guard::new(PORT).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.append(name, value);
            }
        }
        let Ok(target) = target.parse::<Uri>() else { return Ok(()) };
        let verdict = guard.judge(&method, &target, &map);
        prop_assert!(matches!(verdict, Verdict::Refuse(_)), "{verdict:?}");
    }
}

#[test]
fn the_right_request_is_served() {
    let guard = Guard::new(PORT).unwrap();
    let mut map = HeaderMap::new();
    map.insert(HOST, HeaderValue::from_static("127.0.0.1:4321"));
    let link: Uri = guard.launch_url().parse().unwrap();
    let target: Uri = link.path_and_query().unwrap().as_str().parse().unwrap();
    assert_eq!(guard.judge(&Method::GET, &target, &map), Verdict::Enter);
    let cookie = guard.cookie();
    let cookie = cookie.split(';').next().unwrap();
    map.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
    assert_eq!(guard.judge(&Method::GET, &Uri::from_static("/"), &map), Verdict::Serve);
    guard.renew_launch().unwrap();
    assert_eq!(guard.judge(&Method::GET, &target, &map), Verdict::AlreadyIn);
    map.remove(COOKIE);
    assert_eq!(guard.judge(&Method::GET, &target, &map), Verdict::Refuse(Refused::Token));
}

#[test]
fn the_usual_port_may_be_left_out_and_no_other() {
    let verdict = |port: u16, host: &'static str| {
        let guard = Guard::new(port).unwrap();
        let link: Uri = guard.launch_url().parse().unwrap();
        let target: Uri = link.path_and_query().unwrap().as_str().parse().unwrap();
        let host = [(HOST, HeaderValue::from_static(host))];
        guard.judge(&Method::GET, &target, &host.into_iter().collect())
    };
    for host in ["127.0.0.1", "localhost", "127.0.0.1:80"] {
        assert_eq!(verdict(80, host), Verdict::Enter, "{host}");
    }
    assert_eq!(verdict(80, "evil"), Verdict::Refuse(Refused::Host));
    assert_eq!(verdict(PORT, "127.0.0.1"), Verdict::Refuse(Refused::Host));
}
