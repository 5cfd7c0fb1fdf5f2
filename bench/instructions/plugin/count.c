// A plugin for qemu's user mode that counts the instructions a program executes and prints their number when it ends.
// The declarations are those of version 1 of qemu's plugin interface, whose header Debian does not package.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct qemu_plugin_tb;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, void (*)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_atexit_cb(uint64_t, void (*)(uint64_t, void *), void *);
void qemu_plugin_outs(const char *);

int qemu_plugin_version = 1;

static uint64_t count; // by all threads, without a lock: a plugin's inline operation has none

// translated adds a block's length to count each time the block runs. (Operation 0 is "add".)
static void translated(uint64_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &count, qemu_plugin_tb_n_insns(block));
}

static void ended(uint64_t id, void *data) {
  (void)id, (void)data;
  char line[64];
  snprintf(line, sizeof line, "instructions %" PRIu64 "\n", count);
  qemu_plugin_outs(line);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
