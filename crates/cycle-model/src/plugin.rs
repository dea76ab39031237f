//! The QEMU TCG plugin interface, version 1 (QEMU 7.2) and later: the only unsafe code of this crate.
//!
//! QEMU loads the library and calls [`qemu_plugin_install`]. For every block that it translates it
//! calls back with the instructions; each gets two callbacks, one before it is executed and one for
//! each of its memory accesses. The functions declared here are defined by QEMU itself and are
//! found when it loads the library. Debian does not package the header, so they are declared by hand.
//!
//! Two things differ between the versions (`include/qemu/qemu-plugin.h` of QEMU 7.2 to 10.2):
//! - QEMU 9 and later refuse a plugin that asks for version 1, and QEMU 8 and earlier one that asks
//!   for more: [`ask_for_what_there_is`] looks which it is.
//! - Since version 3, `qemu_plugin_insn_data` copies an instruction instead of pointing to it.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::machine::Machine;
use crate::settings::Settings;

type PluginId = u64;
type MemoryInfo = u32;

/// A translated block, known to QEMU only.
#[repr(C)]
struct Block {
    _opaque: [u8; 0],
}

/// An instruction of a block, known to QEMU only.
#[repr(C)]
struct Instruction {
    _opaque: [u8; 0],
}

/// `qemu_info_t` as far as it is read here; QEMU passes a pointer, so the rest may be left out.
#[repr(C)]
struct Info {
    target_name: *const c_char,
    oldest_version: c_int,
    newest_version: c_int,
}

/// `QEMU_PLUGIN_CB_NO_REGS`: the callbacks look at no registers.
const NO_REGISTERS: c_int = 0;
/// `QEMU_PLUGIN_MEM_RW`.
const READS_AND_WRITES: c_int = 3;
/// The first version whose `qemu_plugin_insn_data` copies.
const COPIES_INSTRUCTIONS: c_int = 3;
/// `RTLD_DEFAULT`: whatever is loaded.
const LOADED: *mut c_void = std::ptr::null_mut();

/// `qemu_plugin_insn_data` since version 3: copies, and returns how many bytes.
type CopyInstruction = unsafe extern "C" fn(*const Instruction, *mut c_void, usize) -> usize;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(
        id: PluginId,
        callback: extern "C" fn(PluginId, *mut Block),
    );
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: extern "C" fn(c_uint, *mut c_void),
        registers: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_mem_cb(
        instruction: *mut Instruction,
        callback: extern "C" fn(c_uint, MemoryInfo, u64, *mut c_void),
        registers: c_int,
        accesses: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_atexit_cb(
        id: PluginId,
        callback: extern "C" fn(PluginId, *mut c_void),
        data: *mut c_void,
    );
    fn qemu_plugin_tb_n_insns(block: *const Block) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const Block, index: usize) -> *mut Instruction;
    fn qemu_plugin_insn_data(instruction: *const Instruction) -> *const c_void;
    fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
    fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    fn qemu_plugin_insn_symbol(instruction: *const Instruction) -> *const c_char;
    fn qemu_plugin_mem_is_store(info: MemoryInfo) -> bool;
    fn qemu_plugin_mem_size_shift(info: MemoryInfo) -> c_uint;
    fn qemu_plugin_outs(text: *const c_char);
    /// Of the C library.
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The version that this plugin asks for; QEMU reads it after loading the library and before
/// installing the plugin. It has the layout of a C `int`.
// SAFETY: no other item of this name is linked into the library.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: AtomicI32 = AtomicI32::new(1);

/// Run when the library has been loaded, before QEMU looks at anything of it.
// SAFETY: the section holds functions of this type, which are called once.
#[used]
#[unsafe(link_section = ".init_array")]
static WHEN_LOADED: extern "C" fn() = ask_for_what_there_is;

/// Asks for version 2 where there is a function that came with it. Newer ones accept that, too.
extern "C" fn ask_for_what_there_is() {
    // SAFETY: a name that ends with a zero byte; the function is not called.
    let came_with_2 = unsafe { dlsym(LOADED, c"qemu_plugin_num_vcpus".as_ptr()) };
    if !came_with_2.is_null() {
        qemu_plugin_version.store(2, Relaxed);
    }
}

/// Whether this QEMU copies instructions, or points to them.
static COPIES: AtomicBool = AtomicBool::new(false);

/// The program under observation. Callbacks come from the processor's thread, the last one may
/// come from QEMU's main thread.
static MACHINE: Mutex<Option<Machine>> = Mutex::new(None);

fn machine() -> MutexGuard<'static, Option<Machine>> {
    // A callback that panics ends QEMU, so a poisoned lock is never seen.
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entry point: reads the arguments and asks for callbacks. Returns 0, or 1 to refuse.
///
/// # Safety
/// `info` must point to a `qemu_info_t` and `arguments` to `count` strings, as QEMU passes them.
// SAFETY: no other item of this name is linked into the library.
#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_install(
    id: PluginId,
    info: *const Info,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    // SAFETY: QEMU passes a valid structure, whose first fields these are.
    let info = unsafe { &*info };
    // SAFETY: the target's name is a string that lives as long as QEMU.
    let target = unsafe { CStr::from_ptr(info.target_name) };
    let versions = info.oldest_version..=info.newest_version;
    let wanted = qemu_plugin_version.load(Relaxed);
    if target != c"arm" || !versions.contains(&wanted) {
        eprintln!("cycle-model: made for qemu-system-arm, and plugin interface {wanted}");
        return 1;
    }
    COPIES.store(info.newest_version >= COPIES_INSTRUCTIONS, Relaxed);
    let words: Vec<String> = (0..usize::try_from(count).unwrap_or(0))
        .map(|index| {
            // SAFETY: QEMU passes `count` pointers to strings.
            let argument = unsafe { CStr::from_ptr(*arguments.add(index)) };
            argument.to_string_lossy().into_owned()
        })
        .collect();
    let settings = match Settings::parse(words.iter().map(String::as_str)) {
        Ok(settings) => settings,
        Err(refused) => {
            eprintln!("{refused}");
            return 1;
        }
    };
    *machine() = Some(Machine::new(settings));
    // SAFETY: `id` is the one that QEMU gave; both callbacks have the types it expects.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_atexit_cb(id, ended, std::ptr::null_mut());
    }
    0
}

/// A block was translated: prepares its instructions.
extern "C" fn translated(_: PluginId, block: *mut Block) {
    let mut guard = machine();
    let Some(machine) = guard.as_mut() else {
        return;
    };
    // SAFETY: QEMU passes a block that is valid during this call.
    let count = unsafe { qemu_plugin_tb_n_insns(block) };
    for index in 0..count {
        // SAFETY: `index` is below the number of instructions.
        let instruction = unsafe { qemu_plugin_tb_get_insn(block, index) };
        // SAFETY: the instruction is valid during this call.
        let address = unsafe { qemu_plugin_insn_vaddr(instruction) };
        // SAFETY: as above.
        let word = unsafe { word_of(instruction) };
        let function = if machine.wants_functions() { function_of(instruction) } else { None };
        // The address space is 32 bits wide.
        let prepared = machine.prepare(address as u32, word, function.as_deref());
        // The number travels in the place of a pointer that nobody follows.
        let number = std::ptr::without_provenance_mut(prepared);
        // SAFETY: the instruction is valid, the callbacks have the types that QEMU expects.
        unsafe {
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, executed, NO_REGISTERS, number);
            qemu_plugin_register_vcpu_mem_cb(
                instruction,
                accessed,
                NO_REGISTERS,
                READS_AND_WRITES,
                std::ptr::null_mut(),
            );
        }
    }
}

/// The instruction itself; one of Thumb's has zeros above.
///
/// # Safety
/// `instruction` must be one that QEMU has just handed out.
unsafe fn word_of(instruction: *const Instruction) -> u32 {
    let mut bytes = [0u8; 4];
    if COPIES.load(Relaxed) {
        // SAFETY: this QEMU's function has that type.
        let copy: CopyInstruction =
            unsafe { std::mem::transmute(qemu_plugin_insn_data as *const c_void) };
        // SAFETY: the caller's promise; no more than `bytes` holds is copied.
        unsafe { copy(instruction, bytes.as_mut_ptr().cast(), bytes.len()) };
    } else {
        // SAFETY: the caller's promise, for both.
        let (size, data) =
            unsafe { (qemu_plugin_insn_size(instruction), qemu_plugin_insn_data(instruction)) };
        let known = size.min(bytes.len());
        // SAFETY: QEMU keeps `size` bytes of the instruction at `data`, which do not overlap ours.
        unsafe { std::ptr::copy_nonoverlapping(data.cast(), bytes.as_mut_ptr(), known) };
    }
    u32::from_le_bytes(bytes)
}

/// The function that an instruction is in, from the symbols of the program that QEMU loaded.
/// `instruction` must be valid.
fn function_of(instruction: *const Instruction) -> Option<String> {
    // SAFETY: the caller passes an instruction that QEMU has just handed out.
    let name = unsafe { qemu_plugin_insn_symbol(instruction) };
    if name.is_null() {
        return None;
    }
    // SAFETY: not null, and QEMU keeps the string as long as its symbols, so during this call.
    let name = unsafe { CStr::from_ptr(name) };
    Some(name.to_string_lossy().into_owned())
}

/// An instruction is about to be executed.
extern "C" fn executed(_: c_uint, number: *mut c_void) {
    let report = machine().as_mut().and_then(|machine| machine.begin(number.addr()));
    if let Some(report) = report {
        print(&report);
    }
}

/// The running instruction accessed memory.
extern "C" fn accessed(_: c_uint, info: MemoryInfo, address: u64, _: *mut c_void) {
    // SAFETY: `info` is what QEMU passed to this callback.
    let (store, shift) =
        unsafe { (qemu_plugin_mem_is_store(info), qemu_plugin_mem_size_shift(info)) };
    if let Some(machine) = machine().as_mut() {
        // The address space is 32 bits wide.
        machine.access(address as u32, 1 << shift.min(5), store);
    }
}

/// QEMU ends.
extern "C" fn ended(_: PluginId, _: *mut c_void) {
    let text = machine().as_mut().map(Machine::end);
    if let Some(text) = text {
        print(&text);
    }
}

/// To the log: `-d plugin`.
fn print(text: &str) {
    // The reports hold no zero bytes.
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: a string that ends with a zero byte and lives until QEMU has written it.
    unsafe { qemu_plugin_outs(text.as_ptr()) };
}
