//! A full-duplex serial cable: speed, delay, noise, and being pulled out.

mod line;
mod settings;
#[cfg(test)]
mod tests;

use link::Instant;

pub use line::Line;
pub use settings::CableSettings;

use crate::Random;
use crate::adapter::Adapter;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the board.
    ToBoard,
    /// From the board to the host.
    ToHost,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::ToBoard, Self::ToHost];
}

/// A program's end of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The computer, with its adapter.
    Host,
    /// The Pi's own port, which does as it is told.
    Board,
}

/// Both directions.
#[derive(Debug)]
pub struct Cable {
    to_board: Line,
    to_host: Line,
    first_baud: u32,
    adapter: Adapter,
    is_plugged: bool,
}

impl Cable {
    /// A cable that is plugged in.
    pub fn new(settings: &CableSettings, random: &mut Random) -> Self {
        Self {
            to_board: Line::new(settings, settings.to_board, random.fork()),
            to_host: Line::new(settings, settings.to_host, random.fork()),
            first_baud: settings.baud,
            adapter: settings.adapter,
            is_plugged: true,
        }
    }

    /// One direction.
    pub fn line(&mut self, direction: Direction) -> &mut Line {
        match direction {
            Direction::ToBoard => &mut self.to_board,
            Direction::ToHost => &mut self.to_host,
        }
    }

    /// Asks an end's port for a speed.
    pub fn ask_for(&mut self, end: End, now: Instant, baud: u32) {
        match end {
            End::Host => self.set_baud(end, now, self.adapter.set(baud, self.to_board.baud)),
            End::Board => self.set_baud(end, now, baud),
        }
    }

    /// A program opens its port anew: it has its first speed.
    pub fn open(&mut self, end: End, now: Instant) {
        self.set_baud(end, now, self.first_baud);
    }

    /// The speed that an end really has.
    pub fn baud(&self, end: End) -> u32 {
        match end {
            End::Host => self.to_board.baud,
            End::Board => self.to_host.baud,
        }
    }

    fn set_baud(&mut self, end: End, now: Instant, baud: u32) {
        let (sending, receiving) = match end {
            End::Host => (&mut self.to_board, &mut self.to_host),
            End::Board => (&mut self.to_host, &mut self.to_board),
        };
        sending.set_baud(baud);
        receiving.listen_at(now, baud);
        let lost = self.adapter.lost(self.to_board.baud);
        self.to_board.lost_per_thousand = lost;
        self.to_host.lost_per_thousand = lost;
    }

    /// Whether bytes can pass.
    pub fn is_plugged(&self) -> bool {
        self.is_plugged
    }

    /// Pulls the plug: what is on the way is gone.
    pub fn unplug(&mut self) {
        self.set_plugged(false);
    }

    /// Puts the plug back.
    pub fn plug(&mut self) {
        self.set_plugged(true);
    }

    fn set_plugged(&mut self, is_plugged: bool) {
        self.is_plugged = is_plugged;
        for direction in Direction::BOTH {
            let line = self.line(direction);
            line.is_plugged = is_plugged;
            line.on_the_way.clear();
        }
    }
}
