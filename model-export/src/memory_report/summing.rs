//! Puts together what was measured: rates from what chance drew, finds from everything.

use std::collections::{BTreeMap, BTreeSet};

use model_format::Model;
use persona::Speaker;
use tokenizer::Tokenizer;

use super::counting::Counting;
use super::material::Material;
use super::plan::Job;
use super::prompting::{Prompted, Tried, TriedWord};
use super::replies::{Stretches, is_long};
use super::report::{FoundMessage, FoundReply, FoundWord, How, PRIVATE, Report, Summary};
use super::rows::Row;
use super::run::{Outcome, Request};
use super::verdict::{Comparison, Verdict};
use super::words::Look;

/// A word is listed if all its tokens are among so many first guesses.
const LISTED_RANK: usize = 5;

/// The sums so far.
pub(super) struct Sums<'m> {
    material: &'m Material,
    rows: &'m [Row],
    openings: &'m [String],
    stretches: Stretches,
    counting: Counting,
    summary: Summary,
    /// Nats and tokens: trained on, held back.
    texts: [(f64, usize); 2],
    exposures: [Vec<f64>; 2],
    messages: BTreeMap<usize, (How, Tried)>,
    words: Vec<(usize, TriedWord)>,
    replies: Vec<FoundReply>,
    /// Messages behind the replies.
    quoted: BTreeSet<usize>,
}

impl<'m> Sums<'m> {
    /// Nothing yet.
    pub(super) fn new(
        request: &Request,
        model: &Model<'_>,
        tokenizer: &Tokenizer<'_>,
        material: &'m Material,
        rows: &'m [Row],
        openings: &'m [String],
    ) -> Self {
        let counting = Counting::new(material, tokenizer);
        let both = |count: fn(&Row) -> usize| {
            [false, true].map(|is_held_back| {
                let all = rows.iter();
                all.filter(|it| it.is_held_back == is_held_back).map(count).sum()
            })
        };
        let nothing = Comparison::default();
        let summary = Summary {
            model: request.model.display().to_string(),
            model_name: model.persona().name.to_owned(),
            persona: request.persona.clone(),
            seed: request.amounts.seed,
            verdict: Verdict::TooFewTries,
            is_complete: true,
            done: [0, 0],
            messages: both(Row::tried),
            rare_words: both(Row::rare_words),
            whole: nothing,
            halves: nothing,
            numbers: nothing,
            words: nothing,
            replies: nothing,
            searched_words: 0,
            bits_per_token: [None, None],
            counting_bits_per_token: counting.entropy() / std::f64::consts::LN_2,
            exposure: [None, None],
            to_leave_out: 0,
            notes: Vec::new(),
        };
        Self {
            material,
            rows,
            openings,
            stretches: Stretches::new(material),
            counting,
            summary,
            texts: [(0.0, 0); 2],
            exposures: [Vec::new(), Vec::new()],
            messages: BTreeMap::new(),
            words: Vec::new(),
            replies: Vec::new(),
            quoted: BTreeSet::new(),
        }
    }

    /// Adds the outcome of a piece of work; `None` if it was not done.
    pub(super) fn add(&mut self, job: &Job, outcome: Option<&Outcome>) {
        self.summary.done[1] += 1;
        let Some(outcome) = outcome else {
            self.summary.is_complete = false;
            return;
        };
        self.summary.done[0] += 1;
        match (job, outcome) {
            (Job::Row { place, is_sample }, Outcome::Prompted(results)) => {
                let is_held_back = self.rows.get(*place).is_some_and(|row| row.is_held_back);
                for result in results {
                    self.add_message(result, is_held_back, *is_sample);
                }
            }
            (Job::Replies { opening, .. }, Outcome::Replies(replies)) => {
                for reply in replies {
                    self.add_reply(*opening, reply);
                }
            }
            (Job::Row { .. }, _) | (Job::Replies { .. }, _) => {}
        }
    }

    fn add_message(&mut self, result: &Prompted, is_held_back: bool, is_sample: bool) {
        let message = result.message;
        if let Some(tried) = result.text {
            if is_sample {
                let [trained, held_back] = &mut self.texts;
                let sums = if is_held_back { held_back } else { trained };
                *sums = (sums.0 + tried.nats, sums.1 + tried.tokens);
                self.summary.whole.count(is_held_back, tried.is_repeated);
                if let Some(half) = tried.is_half_repeated {
                    self.summary.halves.count(is_held_back, half);
                }
            }
            let how = match tried {
                Tried { is_repeated: true, .. } => Some(How::Whole),
                Tried { is_half_repeated: Some(true), .. } => Some(How::Half),
                Tried { .. } => None,
            };
            if let Some(how) = how.filter(|_| !is_held_back) {
                self.messages.insert(message, (how, tried));
            }
        }
        for word in &result.words {
            if is_sample {
                let measure = match word.word.look {
                    Look::Number => &mut self.summary.numbers,
                    Look::Name | Look::Word => &mut self.summary.words,
                };
                measure.count(is_held_back, word.worst_rank == 1);
                let [trained, held_back] = &mut self.exposures;
                let exposures = if is_held_back { held_back } else { trained };
                exposures.push(word.exposure.unwrap_or(0.0));
            } else {
                self.summary.searched_words += 1;
            }
            if !is_held_back && word.worst_rank <= LISTED_RANK {
                self.words.push((message, word.clone()));
            }
        }
    }

    fn add_reply(&mut self, opening: usize, reply: &str) {
        if !is_long(reply) {
            return;
        }
        let found = self.stretches.longest(reply);
        self.summary.replies.count(false, found.is_some());
        let Some(found) = found else { return };
        let Some(message) = self.material.messages.get(found.message) else { return };
        self.quoted.insert(found.message);
        self.replies.push(FoundReply {
            opening: self.openings.get(opening).cloned().unwrap_or_default(),
            reply: reply.trim().to_owned(),
            words: found.words,
            message: message.clone(),
        });
    }

    /// The report.
    pub(super) fn report(mut self) -> Report {
        self.compare_replies();
        let per_token = |(nats, tokens): (f64, usize)| {
            (tokens > 0).then(|| nats / std::f64::consts::LN_2 / tokens as f64)
        };
        self.summary.bits_per_token = self.texts.map(per_token);
        self.summary.exposure = self.exposures.each_mut().map(|it| median(it));
        self.summary.verdict = Verdict::of(&self.summary.measures().map(|(_, measure)| measure));
        self.summary.notes = self.notes();
        let to_leave_out = self.to_leave_out();
        self.summary.to_leave_out = to_leave_out.len();
        let (messages, words) = (self.found_messages(), self.found_words());
        self.replies.sort_by_key(|it| std::cmp::Reverse(it.words));
        let replies = self.replies;
        Report { private: PRIVATE, summary: self.summary, messages, words, replies, to_leave_out }
    }

    /// How often people themselves say again what they said in one other conversation.
    fn compare_replies(&mut self) {
        for place in self.material.places(true) {
            let Some(conversation) = self.material.conversations.get(place) else { continue };
            let own = conversation.lines.iter().filter(|line| line.speaker == Speaker::Wisp);
            for text in own.map(|line| self.material.text(line)).filter(|text| is_long(text)) {
                self.summary.replies.count(true, self.stretches.longest(text).is_some());
            }
        }
    }

    /// The records behind the measures that are above chance. Where none is, everything that the
    /// report lists: a reader chooses what to mind.
    fn to_leave_out(&self) -> Vec<crate::chats::Message> {
        let summary = &self.summary;
        let is_choice = summary.verdict != Verdict::Remembers;
        let counts = |measure| is_choice || summary.is_above_chance(measure);
        let how = |how| match how {
            How::Whole => counts(&summary.whole) || counts(&summary.halves),
            How::Half => counts(&summary.halves),
        };
        let messages = self.messages.iter().filter(|(_, (it, _))| how(*it)).map(|it| *it.0);
        let words = self.words.iter().filter(|(_, word)| {
            // Numbers are too few for much of a test of their own: they are rare words, too.
            let is_known = is_choice || word.worst_rank == 1;
            is_known && (counts(&summary.words) || counts(&summary.numbers))
        });
        let words = words.map(|(message, _)| *message);
        let quoted = self.quoted.iter().copied().filter(|_| counts(&summary.replies));
        let places: BTreeSet<usize> = messages.chain(words).chain(quoted).collect();
        places.iter().filter_map(|place| self.material.messages.get(*place).cloned()).collect()
    }

    fn found_messages(&mut self) -> Vec<FoundMessage> {
        let found = std::mem::take(&mut self.messages).into_iter().filter_map(|(place, found)| {
            let message = self.material.messages.get(place)?.clone();
            let (how, tried) = found;
            let counting = self.counting.nats(place);
            let bits_known = (counting - tried.nats) / std::f64::consts::LN_2;
            Some(FoundMessage { how, tokens: tried.tokens, bits_known, message })
        });
        let mut found: Vec<FoundMessage> = found.collect();
        let order = |it: &FoundMessage| (it.how, std::cmp::Reverse(it.bits_known as i64));
        found.sort_by_key(order);
        found
    }

    fn found_words(&mut self) -> Vec<FoundWord> {
        let found = std::mem::take(&mut self.words).into_iter().filter_map(|(place, word)| {
            let message = self.material.messages.get(place)?.clone();
            let written = message.text.get(word.word.bytes.clone())?.to_owned();
            Some(FoundWord {
                word: written,
                look: word.word.look,
                worst_rank: word.worst_rank,
                probability: word.probability,
                exposure: word.exposure,
                message,
            })
        });
        let mut found: Vec<FoundWord> = found.collect();
        found.sort_by(|one, other| {
            let key = |it: &FoundWord| (it.worst_rank > 1, it.look);
            key(one).cmp(&key(other)).then(other.probability.total_cmp(&one.probability))
        });
        found
    }

    fn notes(&self) -> Vec<String> {
        let Summary { persona, model_name, bits_per_token, counting_bits_per_token, .. } =
            &self.summary;
        let mut notes = vec![
            "It is taken for granted that the persona was trained on these chats, as `prepare` \
             divides them: the last twentieth of the conversations of each chat held back."
                .to_owned(),
        ];
        if persona != model_name {
            notes.push(format!(
                "The file's persona is called {model_name}, the chats' {persona}: are these the \
                 chats it was trained on?"
            ));
        }
        if let [Some(trained), _] = bits_per_token
            && trained >= counting_bits_per_token
        {
            notes.push(
                "The model knows these chats no better than somebody who only counted how often \
                 each token occurs in them: it was hardly trained on them, or on others."
                    .to_owned(),
            );
        }
        if self.openings.is_empty() {
            notes.push(
                "The friend never wrote first: replies were drawn without an opening.".into(),
            );
        }
        notes
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
