//! The page in a real browser, with a scripted board behind it.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

mod common;
#[path = "common/browser.rs"]
mod driver;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::Harness;
use driver::{Browser, Look};
use link::message::{Slot, Speaker, Timing};
use wisp::client::{
    Activity, ChatMessage, Command, Delivery, LinkState, Notice, Phase, ReplyState, Transfer,
    TransferPhase, Update,
};

fn you(key: u64, text: &str, delivery: Delivery) -> Update {
    Update::Message {
        message: message(key, Speaker::You, text, Some(delivery), None),
        after: before(key),
    }
}

fn wisp(key: u64, text: &str, reply: ReplyState) -> Update {
    Update::Message {
        message: message(key, Speaker::Wisp, text, None, Some(reply)),
        after: before(key),
    }
}

/// The tests number messages in their order.
fn before(key: u64) -> Option<u64> {
    (key > 1).then(|| key - 1)
}

fn message(
    key: u64,
    speaker: Speaker,
    text: &str,
    delivery: Option<Delivery>,
    reply: Option<ReplyState>,
) -> ChatMessage {
    let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let timing = (reply == Some(ReplyState::Finished)).then_some(Timing {
        prompt_tokens: 9,
        reply_tokens: 21,
        first_token_micros: 300_000,
        decode_micros: 1_000_000,
    });
    ChatMessage { key, speaker, text: text.into(), unix_seconds, delivery, reply, timing }
}

fn link(phase: Phase, words: &str) -> Update {
    Update::Link { link: LinkState::plain(phase, words) }
}

fn activity(activity: Activity) -> Update {
    Update::Activity { activity }
}

fn sending(done: u64) -> Update {
    let transfer = Transfer {
        slot: Slot::Persona,
        name: "stories260K".into(),
        phase: TransferPhase::Sending,
        done,
        total: 1_000_000,
        sent_chunks: 80,
        skipped_chunks: 3,
        rate: 48_000,
        seconds_left: Some(14),
    };
    Update::Transfer { transfer }
}

const PHONE_DARK: Look = Look { width: 390, height: 780, is_dark: true, is_phone: true };
const PHONE_LIGHT: Look = Look { width: 390, height: 780, is_dark: false, is_phone: true };
const DESK_LIGHT: Look = Look { width: 1000, height: 760, is_dark: false, is_phone: false };
const DESK_DARK: Look = Look { width: 1000, height: 760, is_dark: true, is_phone: false };

/// Waits for what the page sends, leaving out that the friend types. What it says is stored at once.
fn next_command(harness: &Harness) -> Command {
    loop {
        match harness.board.recv_timeout(driver::PATIENCE).unwrap() {
            Command::Typing => {}
            Command::SayTagged { tag, text, .. } => {
                harness.hub.publish(&Update::Taken { tag, key: 0 });
                return Command::Say(text);
            }
            command => return command,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_in_the_browser_shows_what_the_board_does() {
    let Some(browser) = Browser::start().await else { return };
    let harness = Harness::start();
    let hub = &harness.hub;
    browser.look(DESK_LIGHT).await;

    // The link lets the browser in and disappears from the address.
    hub.publish(&link(Phase::Loading, "getting ready"));
    browser.client.goto(&harness.link()).await.unwrap();
    assert_eq!(browser.client.current_url().await.unwrap().path(), "/");
    assert_eq!(browser.client.current_url().await.unwrap().query(), None);
    browser.text_when("#status", |text| text == "getting ready").await;

    // The upload is shown with its figures.
    hub.publish(&sending(340_000));
    browser.text_when("#progress-figures", |text| text == "34 % · 48 kB/s · 14 s left").await;
    assert!(browser.text_when("#progress-words", |t| !t.is_empty()).await.contains("stories260K"));
    browser.screenshot("loading-desktop-light").await;
    hub.publish(&link(Phase::Online, "online"));
    browser.text_when("#status", |text| text == "online").await;
    browser.until("document.getElementById('progress').hidden").await;

    // A message is typed; every step of it is the board's.
    browser.write("Tell me about <b>the</b> moon").await;
    browser.click("#send").await;
    assert_eq!(next_command(&harness), Command::Say("Tell me about <b>the</b> moon".into()));
    for (delivery, meaning) in [
        (Delivery::Waiting, "waiting for the board"),
        (Delivery::Sent, "sent"),
        (Delivery::Received, "received"),
        (Delivery::Read, "read"),
    ] {
        hub.publish(&you(1, "Tell me about <b>the</b> moon", delivery));
        let shown = format!(
            "document.querySelectorAll('.you').length === 1 && \
             document.querySelector('.you .ticks').getAttribute('aria-label') === '{meaning}'"
        );
        browser.until(&shown).await;
    }
    // Markup is text.
    browser.text_when(".you .words", |text| text == "Tell me about <b>the</b> moon").await;
    browser.until("document.querySelector('.bubble b') === null").await;

    // Dots only while it thinks; a stop button as long as there is something to stop.
    browser.until("document.getElementById('dots').hidden").await;
    browser.until("document.getElementById('stop').hidden").await;
    hub.publish(&activity(Activity::Thinking));
    browser.until("!document.getElementById('dots').hidden").await;
    browser.text_when("#status", |text| text == "thinking…").await;
    browser.screenshot("thinking-desktop-light").await;
    browser.click("#stop").await;
    assert_eq!(next_command(&harness), Command::Stop);
    hub.publish(&activity(Activity::Writing));
    hub.publish(&wisp(2, "The moon", ReplyState::Writing));
    browser.text_when(".wisp .words", |text| text == "The moon").await;
    browser.until("document.getElementById('dots').hidden").await;
    assert_eq!(browser.text_when("#announcer", |_| true).await, "", "nothing half is read out");
    hub.publish(&wisp(2, "The moon is made of quiet.", ReplyState::Finished));
    hub.publish(&activity(Activity::Idle));
    browser.text_when(".wisp .words", |text| text == "The moon is made of quiet.").await;
    browser.text_when("#announcer", |text| text == "The moon is made of quiet.").await;
    browser.until("document.getElementById('stop').hidden").await;

    browser.click(".wisp .below button").await;
    assert_eq!(next_command(&harness), Command::Regenerate);
    hub.publish(&Update::Withdrawn { key: 2 });
    browser.until("document.querySelector('.wisp') === null").await;

    // A second tab sees the same.
    let first = browser.client.window().await.unwrap();
    let second = browser.client.new_window(true).await.unwrap();
    browser.client.switch_to_window(second.handle).await.unwrap();
    browser.client.goto(&format!("http://127.0.0.1:{}/", harness.port)).await.unwrap();
    browser.text_when(".you .words", |text| text.contains("moon")).await;
    browser.client.close_window().await.unwrap();
    browser.client.switch_to_window(first).await.unwrap();

    // Forgetting asks first.
    browser.click("#open").await;
    browser.click("#forget").await;
    browser.click("#ask .danger").await;
    assert_eq!(next_command(&harness), Command::Forget);
    hub.publish(&Update::Forgotten);
    browser.until("document.querySelectorAll('.message').length === 0").await;

    no_complaints(&browser).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_looks_right_on_desk_and_phone_by_day_and_night() {
    let Some(browser) = Browser::start().await else { return };
    let harness = Harness::start();
    let hub = &harness.hub;
    hub.publish(&link(Phase::Online, "online"));
    browser.look(PHONE_LIGHT).await;
    browser.client.goto(&harness.link()).await.unwrap();
    browser.text_when("#status", |text| text == "online").await;
    browser.screenshot("empty-phone-light").await;

    let long = "Once upon a time there was a little light that lived in a marsh. It was afraid of \
                the dark, which was a pity, because the dark was where it was needed most.\n\nSo \
                it asked the moon.";
    for update in [
        you(1, "hi", Delivery::Read),
        wisp(2, "hello you", ReplyState::Finished),
        wisp(3, "I was just thinking about frogs", ReplyState::Finished),
        you(
            4,
            "Do you know a story? A short one, please, because my train comes in two minutes.",
            Delivery::Read,
        ),
        wisp(5, long, ReplyState::Stopped),
        you(
            6,
            "https://example.org/a-very-long-address-without-any-space-in-it-that-must-not-widen-the-page/0123456789012345678901234567890123456789",
            Delivery::Received,
        ),
        you(7, "👋🏽 ça va? 日本語", Delivery::Sent),
        you(8, "and?", Delivery::Waiting),
    ] {
        hub.publish(&update);
    }
    hub.publish(&activity(Activity::Thinking));
    browser.until("document.querySelectorAll('.message').length === 8").await;
    for (look, name) in [
        (PHONE_LIGHT, "chat-phone-light"),
        (PHONE_DARK, "chat-phone-dark"),
        (DESK_LIGHT, "chat-desktop-light"),
        (DESK_DARK, "chat-desktop-dark"),
    ] {
        browser.look(look).await;
        browser.client.execute("scroller.scrollTop = 1e9", vec![]).await.unwrap();
        browser
            .until("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            .await;
        browser.screenshot(name).await;
        is_for_everybody(&browser).await;
    }
    hub.publish(&activity(Activity::Idle));
    hub.publish(&wisp(9, "and the moon said: shine anyway", ReplyState::Finished));
    hub.publish(&Update::Crashed {
        notice: Notice {
            message: "The firmware touched memory that is not there".into(),
            code: "wisp::crash::data_abort".into(),
            help: "It has restarted. Please report the fault address.".into(),
        },
    });
    browser.text_when("#trouble-words", |text| text.contains("touched")).await;
    browser.look(PHONE_DARK).await;
    browser.screenshot("trouble-phone-dark").await;
    is_for_everybody(&browser).await;
    hub.publish(&link(Phase::Waiting, "the board does not answer; waiting"));
    hub.publish(&sending(340_000));
    browser.look(DESK_DARK).await;
    browser.screenshot("waiting-desktop-dark").await;
    is_for_everybody(&browser).await;
    no_complaints(&browser).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_while_the_relay_is_away_arrives_once() {
    let Some(browser) = Browser::start().await else { return };
    let harness = Harness::start();
    harness.hub.publish(&link(Phase::Online, "online"));
    let remember = "const Real = WebSocket; window.WebSocket = class extends Real { \
                    constructor(...to) { super(...to); window.socket = this; } };";
    browser.before_each_page(remember).await;
    browser.client.goto(&harness.link()).await.unwrap();
    browser.text_when("#status", |text| text == "online").await;
    // The connection breaks just before the message is sent.
    browser.client.execute("socket.close()", vec![]).await.unwrap();
    browser.write("are you there?").await;
    browser.click("#send").await;
    assert_eq!(next_command(&harness), Command::Say("are you there?".into()));
    // The page shows it until the program has it; this board says nothing about it.
    browser.until("document.querySelectorAll('.you').length === 0").await;
    assert!(harness.board.recv_timeout(Duration::from_millis(500)).is_err(), "said twice");

    // What the program has not taken is still there on a page that is loaded anew, as when it was
    // started anew and its link opened; and it is said once.
    browser.write("hello?").await;
    browser.click("#send").await;
    let heard = |harness: &Harness| match harness.board.recv_timeout(driver::PATIENCE).unwrap() {
        Command::SayTagged { tag, text, .. } if text == "hello?" => Some(tag),
        _ => None,
    };
    let tag = loop {
        if let Some(tag) = heard(&harness) {
            break tag;
        }
    };
    browser.client.refresh().await.unwrap();
    browser.until("document.querySelectorAll('.you').length === 1").await;
    harness.hub.publish(&Update::Taken { tag, key: 5 });
    harness.hub.publish(&you(5, "hello?", Delivery::Sent));
    let sent = "document.querySelectorAll('.you').length === 1 \
                && document.querySelector('.you .ticks').dataset.delivery === 'sent'";
    browser.until(sent).await;
    assert_eq!(
        browser
            .client
            .execute("return sessionStorage.getItem('wisp-unsent')", vec![])
            .await
            .unwrap(),
        "[]"
    );
    browser.client.refresh().await.unwrap();
    browser.until(sent).await;

    // It was stored, but the program ended before the page heard of it, and another one answers: it is
    // not said again.
    browser.write("are you sure?").await;
    browser.click("#send").await;
    while !matches!(
        harness.board.recv_timeout(driver::PATIENCE).unwrap(),
        Command::SayTagged { .. }
    ) {}
    let another_run =
        "return import('/page.js').then(({ state }) => { state.run = 0; socket.close(); })";
    browser.client.execute(another_run, vec![]).await.unwrap();
    harness.hub.publish(&you(6, "are you sure?", Delivery::Sent));
    let both = "[...document.querySelectorAll('.you .ticks')].map((it) => it.dataset.delivery) \
                .join() === 'sent,sent'";
    browser.until(both).await;
    assert!(harness.board.recv_timeout(Duration::from_millis(500)).is_err(), "said twice");

    // The program ends: the page says so, and goes on trying.
    drop(harness);
    browser.text_when("#status", |text| text.contains("not answering")).await;
    browser.screenshot("lost-desktop-light").await;
    // Whoever leaves now is asked first, if something would be lost.
    let asks = "(() => { const leaving = new Event('beforeunload', { cancelable: true }); \
                window.dispatchEvent(leaving); return leaving.defaultPrevented; })()";
    browser.until(&format!("!{asks}")).await;
    browser.write("too late").await;
    browser.click("#send").await;
    browser.until(asks).await;
    browser.close().await;
}

/// Also for who cannot see, or not well.
async fn is_for_everybody(browser: &Browser) {
    let complaints = browser.accessibility_complaints().await;
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// The console holds no error: no script failed, and the strict policy blocked nothing.
async fn no_complaints(browser: &Browser) {
    let log = browser.console().await;
    assert!(log.is_empty(), "{log:#?}");
}
