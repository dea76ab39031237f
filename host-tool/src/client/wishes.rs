//! How the friend wants the persona to be: kept, told to the board, shown in the page.

use link::conversation::PersonaCard;

use super::card::Card;
use super::chat::Chat;
use super::choices::Choices;
use super::view::{Notice, Update};

impl Chat {
    /// What was chosen for this persona before, and for this run.
    pub(super) fn recall_choices(&mut self) {
        self.choices = self.of_this_run.or(self.keeper.choices());
        self.heed_choices();
    }

    /// Takes what the friend has chosen, and remembers it.
    pub(super) fn choose(&mut self, choices: Choices, unix_seconds: u64) {
        // What was asked for on the command line is for this run.
        let kept = choices.without(self.of_this_run, self.keeper.choices());
        self.choices = choices;
        if let Err(error) = self.keeper.choose(&kept, unix_seconds) {
            self.updates.push_back(Update::Notice { notice: Notice::from(&error) });
        }
        self.heed_choices();
    }

    /// The friend's clock is so many minutes before UTC.
    pub(super) fn set_utc_offset(&mut self, minutes: i32) {
        if self.utc_offset != minutes {
            self.utc_offset = minutes;
            self.mind_manners();
        }
    }

    /// Takes what the persona says of itself.
    pub(super) fn learn(&mut self, card: PersonaCard) {
        self.awaits_card = false;
        if self.card.replace(card.figures) != Some(card.figures) {
            self.mind_settings();
        }
        let card = Card::new(card, self.persona.as_ref());
        self.updates.push_back(Update::Card { card });
    }

    /// Lets the board and the page know what is chosen.
    fn heed_choices(&mut self) {
        self.mind_manners();
        self.mind_settings();
        self.updates.push_back(Update::Choices { choices: self.choices });
    }

    /// Also what is the persona's own way: the board may remember something else that another
    /// program told it.
    fn mind_manners(&mut self) {
        if !self.keeper.is_bystander() {
            self.conversation.set_manners(self.choices.manners(self.utc_offset));
        }
    }

    fn mind_settings(&mut self) {
        // A measurement has its own.
        if self.keeper.is_bystander() || self.settings.is_some() {
            return;
        }
        match (self.choices.temperature_milli, self.card) {
            (None, _) => self.conversation.configure_default(),
            // Without the card nobody knows what else to tell.
            (Some(_), None) => {}
            (Some(temperature_milli), Some(card)) => {
                let own = card.settings;
                self.conversation.configure(link::message::Settings { temperature_milli, ..own });
            }
        }
    }
}
