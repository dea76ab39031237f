//! What the friend may choose, edit and ask for in the page: with mouse and keyboard, and for everybody.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

mod common;
#[path = "common/browser.rs"]
mod driver;

use common::Harness;
use driver::{Browser, Look};
use link::conversation::MessageKey;
use link::message::{CardFigures, Settings, Speaker};
use wisp::client::{
    Activity, Card, ChatMessage, Choices, Command, Delivery, LinkState, LocalHours, Phase,
    ReplyState, Update,
};

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";
const CONTROL: &str = "\u{E009}";
const ESCAPE: &str = "\u{E00C}";
const RIGHT: &str = "\u{E014}";
const UP: &str = "\u{E013}";
const SPACE: &str = " ";

const PHONE_DARK: Look = Look { width: 390, height: 780, is_dark: true, is_phone: true };
const DESK_LIGHT: Look = Look { width: 1000, height: 900, is_dark: false, is_phone: false };

fn card() -> Card {
    Card {
        name: "Marsh".into(),
        source: "a corpus <i>of</i> frogs".into(),
        licences: "MIT\nCC0 for the frogs".into(),
        is_shortened: true,
        weights: "fp8".into(),
        digest: "ab".repeat(32),
        figures: CardFigures {
            format_version: 3,
            bytes: 3_170_000,
            parameters: 2_949_120,
            layers: 6,
            dim: 192,
            vocabulary: 4096,
            context: 256,
            settings: Settings {
                temperature_milli: 600,
                top_p_milli: 900,
                repetition_penalty_milli: 1100,
                seed: None,
                max_reply_tokens: 64,
            },
            most_unanswered: 3,
        },
    }
}

fn said(key: u64, text: &str) -> Update {
    let message = ChatMessage {
        key,
        speaker: Speaker::You,
        text: text.into(),
        unix_seconds: 1_700_000_000 + key,
        delivery: Some(Delivery::Read),
        reply: None,
        timing: None,
    };
    Update::Message { message, after: (key > 1).then(|| key - 1) }
}

fn answered(key: u64, text: &str) -> Update {
    let Update::Message { message, after } = said(key, text) else { panic!() };
    let reply = Some(ReplyState::Finished);
    let message = ChatMessage { speaker: Speaker::Wisp, delivery: None, reply, ..message };
    Update::Message { message, after }
}

/// A page that is online.
async fn open(browser: &Browser) -> Harness {
    let harness = Harness::start();
    let link = LinkState::plain(Phase::Online, "online");
    harness.hub.publish(&Update::Link { link });
    browser.client.goto(&harness.link()).await.unwrap();
    browser.text_when("#status", |text| text == "online").await;
    harness
}

fn next_command(harness: &Harness) -> Command {
    loop {
        match harness.board.recv_timeout(driver::PATIENCE).unwrap() {
            Command::Typing => {}
            command => return command,
        }
    }
}

/// What the page chose; the program says so to all pages.
fn next_choice(harness: &Harness) -> Choices {
    let Command::Choose(choices) = next_command(harness) else { panic!("it chose nothing") };
    harness.hub.publish(&Update::Choices { choices });
    choices
}

async fn has_no_complaints(browser: &Browser) {
    let complaints = browser.accessibility_complaints().await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    let console = browser.console().await;
    assert!(console.is_empty(), "{console:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_can_be_chosen_with_the_keyboard_alone() {
    let Some(browser) = Browser::start().await else { return };
    browser.look(DESK_LIGHT).await;
    let harness = open(&browser).await;
    harness.hub.publish(&Update::Card { card: card() });
    // From the line to write in, once round the page's end to its beginning.
    browser.client.execute("document.getElementById('scroller').focus()", vec![]).await.unwrap();
    browser.press("\u{E008}\u{E004}").await;
    browser.until("document.activeElement.id === 'open'").await;
    browser.press(ENTER).await;
    browser.until("document.getElementById('settings').open").await;
    browser.until("document.activeElement.id === 'talkativeness'").await;
    browser.screenshot("settings-desktop-light").await;
    has_no_complaints(&browser).await;

    browser.press(RIGHT).await;
    let mut chosen = Choices { talkativeness_milli: Some(1500), ..Choices::default() };
    assert_eq!(next_choice(&harness), chosen);
    browser.text_when("#talkativeness-words", |text| text.starts_with("1.5 ×")).await;
    browser.press(TAB).await;
    browser.press("2").await;
    chosen.most_unanswered = Some(2);
    assert_eq!(next_choice(&harness), chosen);
    browser.press(TAB).await;
    browser.press(RIGHT).await;
    chosen.temperature_milli = Some(650);
    assert_eq!(next_choice(&harness), chosen);
    browser.press(TAB).await;
    browser.until("document.activeElement.id === 'temperature-own'").await;
    browser.press(ENTER).await;
    chosen.temperature_milli = None;
    assert_eq!(next_choice(&harness), chosen);
    browser.text_when("#temperature-words", |text| text == "0.6, its own").await;
    browser.client.execute("document.getElementById('is-quiet').focus()", vec![]).await.unwrap();
    browser.press(SPACE).await;
    chosen.quiet = Some(LocalHours { from: 22 * 60, to: 7 * 60 });
    assert_eq!(next_choice(&harness), chosen);
    browser.until("document.getElementById('quiet-from').value === '22:00'").await;
    has_no_complaints(&browser).await;
    browser.press(ESCAPE).await;
    browser.until("!document.getElementById('settings').open").await;
    browser.until("document.activeElement.id === 'open'").await;

    // What was chosen elsewhere shows here.
    let choices = Choices { talkativeness_milli: Some(0), ..Choices::default() };
    harness.hub.publish(&Update::Choices { choices });
    browser.text_when("#talkativeness-words", |text| text == "never says a word").await;
    browser.until("!document.getElementById('is-quiet').checked").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_card_tells_who_it_is_and_the_conversation_can_be_saved() {
    let Some(browser) = Browser::start().await else { return };
    browser.look(PHONE_DARK).await;
    let harness = open(&browser).await;
    harness.hub.publish(&said(1, "what is <b>bold</b>?"));
    harness.hub.publish(&answered(2, "frogs"));
    browser.click("#open").await;
    browser.until("!document.getElementById('no-card').hidden").await;
    harness.hub.publish(&Update::Card { card: card() });
    let text = browser.text_when("#card", |text| text.contains("Marsh")).await;
    for fact in ["2.9 million weights", "256 tokens", "3.2 MB, fp8, format 3", "<i>of</i>", "CC0"] {
        assert!(text.contains(fact), "no {fact} in {text}");
    }
    browser.until("document.documentElement.scrollWidth <= innerWidth").await;
    browser.screenshot("settings-phone-dark").await;
    has_no_complaints(&browser).await;

    // As the browser would save it.
    let fetch = |name: &str| {
        format!(
            "const done = arguments[0]; fetch('/export/{name}').then(async (answer) => done([\
             answer.headers.get('content-disposition'), await answer.text()]))"
        )
    };
    for (name, holds) in [
        ("chat.md", "what is \\<b\\>bold\\</b\\>?"),
        ("chat.html", "what is &lt;b&gt;bold&lt;/b&gt;?"),
        ("chat.jsonl", "\"text\":\"frogs\""),
    ] {
        let answer = browser.client.execute_async(&fetch(name), vec![]).await.unwrap();
        assert_eq!(answer[0], "attachment", "{name}");
        let text = answer[1].as_str().unwrap();
        assert!(text.contains(holds), "{name}: {text}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_chat_explains_itself_and_the_persona_can_begin() {
    let Some(browser) = Browser::start().await else { return };
    browser.look(PHONE_DARK).await;
    let harness = open(&browser).await;
    browser.text_when("#empty", |text| text.contains("may write first")).await;
    browser.screenshot("first-start-phone-dark").await;
    has_no_complaints(&browser).await;
    browser.until("document.getElementById('hello').disabled").await;
    harness.hub.publish(&Update::Card { card: card() });
    browser.until("!document.getElementById('hello').disabled").await;
    browser.click("#hello").await;
    assert_eq!(next_command(&harness), Command::Greet);
    harness.hub.publish(&Update::Activity { activity: Activity::Thinking });
    browser.until("document.getElementById('empty').hidden").await;
    harness.hub.publish(&answered(1, "oh, hello!"));
    harness.hub.publish(&Update::Activity { activity: Activity::Idle });
    browser.text_when(".wisp .words", |text| text == "oh, hello!").await;
    has_no_complaints(&browser).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_message_can_be_written_anew() {
    let Some(browser) = Browser::start().await else { return };
    browser.look(DESK_LIGHT).await;
    let harness = open(&browser).await;
    for update in [said(1, "first"), answered(2, "hm"), said(3, "secnod"), answered(4, "what?")] {
        harness.hub.publish(&update);
    }
    browser.until("document.querySelectorAll('.message').length === 4").await;
    // Only the last can be, and only as long as it is the last.
    browser.until("document.querySelectorAll('.you .below button').length === 1").await;
    browser.press(UP).await;
    browser.until("document.getElementById('text').value === 'secnod'").await;
    browser.until("!document.getElementById('editing').hidden").await;
    browser.screenshot("editing-desktop-light").await;
    has_no_complaints(&browser).await;
    harness.hub.publish(&said(5, "from another tab"));
    browser.until("document.getElementById('editing').hidden").await;
    browser.until("document.getElementById('text').value === ''").await;
    harness.hub.publish(&Update::Withdrawn { key: 5 });

    browser.write("a draft").await;
    browser.click(".you .below button").await;
    browser.until("document.getElementById('text').value === 'secnod'").await;
    browser.press(ESCAPE).await;
    browser.until("document.getElementById('text').value === 'a draft'").await;
    browser.click(".you .below button").await;
    browser.client.execute("document.getElementById('text').select()", vec![]).await.unwrap();
    browser.press("second").await;
    // A machine without a screen has no mouse, so the page takes it for a phone: with Ctrl.
    browser.press(&format!("{CONTROL}{ENTER}")).await;
    let Command::SayTagged { tag, text, instead_of } = next_command(&harness) else { panic!() };
    assert_eq!((text.as_str(), instead_of), ("second", Some(MessageKey(3))));
    harness.hub.publish(&Update::Taken { tag, key: 0 });
    browser.until("document.getElementById('text').value === 'a draft'").await;
    harness.hub.publish(&Update::Withdrawn { key: 4 });
    harness.hub.publish(&Update::Withdrawn { key: 3 });
    let Update::Message { message, .. } = said(6, "second") else { panic!() };
    harness.hub.publish(&Update::Message { message, after: Some(2) });
    browser.text_when(".message:last-child .words", |text| text == "second").await;
    has_no_complaints(&browser).await;

    // Another tab was faster: what was written is there to be said otherwise.
    browser.click(".you:last-child .below button").await;
    browser.client.execute("document.getElementById('text').select()", vec![]).await.unwrap();
    browser.press("third").await;
    browser.click("#send").await;
    let tag = loop {
        match harness.board.recv_timeout(driver::PATIENCE).unwrap() {
            Command::SayTagged { tag, text, instead_of: Some(MessageKey(6)) }
                if text == "third" =>
            {
                break tag;
            }
            Command::Typing => {}
            other => panic!("{other:?}"),
        }
    };
    harness.hub.publish(&Update::Lost { tag });
    browser.until("document.getElementById('text').value === 'third\\na draft'").await;
    browser.until("document.querySelectorAll('.message').length === 3").await;
    browser.close().await;
}
