//go:build tflite

package qnn

/*
#include <stdint.h>

// The parts of QNN's interface that tell versions (QnnInterface.h, QnnCommon.h).
typedef struct {
  uint32_t major, minor, patch;
} qnn_version;
typedef struct {
  uint32_t id;
  const char* name;
  qnn_version core, backend;
} qnn_interface;

static int nanoflux_qnn_versions(void* get_providers, qnn_version* core, qnn_version* backend) {
  const qnn_interface** list = 0;
  uint32_t n = 0;
  uint64_t (*get)(const qnn_interface***, uint32_t*) = (uint64_t (*)(const qnn_interface***, uint32_t*))get_providers;
  if (get(&list, &n) != 0 || n == 0) return 1;
  *core = list[0]->core;
  *backend = list[0]->backend;
  return 0;
}
*/
import "C"

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
)

// version is that of QNN and of its HTP backend: code is for one of each.
func (l libraries) version() (string, error) {
	library, err := dl.Open([]string{l.backend}, "QnnInterface_getProviders")
	if err != nil {
		return "", err
	}
	var core, backend C.qnn_version
	if C.nanoflux_qnn_versions(library.Symbol("QnnInterface_getProviders"), &core, &backend) != 0 {
		return "", fmt.Errorf("%w: %s has no interface", delegate.ErrUnavailable, l.backend)
	}
	return fmt.Sprintf("QNN %d.%d.%d, HTP %d.%d.%d", core.major, core.minor, core.patch, backend.major, backend.minor, backend.patch), nil
}
