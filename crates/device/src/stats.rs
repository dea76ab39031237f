//! Counters of the running board.

use link::message::Stats;

/// What only the board itself knows; the firmware renews it now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Bytes of heap in use.
    pub heap_used: u32,
    /// Bytes of heap there are.
    pub heap_size: u32,
    /// Bytes the UART lost because nobody fetched them in time.
    pub uart_overruns: u32,
    /// Framing, parity and break errors of the UART.
    pub uart_line_errors: u32,
    /// Temperature of the chip in thousandths of a degree Celsius; 0 when unknown.
    pub temperature_millidegrees: u32,
    /// Clock of the processor in Hz; 0 when unknown.
    pub arm_clock_hz: u32,
}

impl Health {
    /// Writes the board's share into the counters.
    pub(crate) fn fill(&self, stats: &mut Stats) {
        stats.heap_used = self.heap_used;
        stats.heap_size = self.heap_size;
        stats.uart_overruns = self.uart_overruns;
        stats.uart_line_errors = self.uart_line_errors;
        stats.temperature_millidegrees = self.temperature_millidegrees;
        stats.arm_clock_hz = self.arm_clock_hz;
    }
}
