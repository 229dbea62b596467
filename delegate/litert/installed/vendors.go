package installed

import (
	"path/filepath"
	"slices"
	"strings"
)

// Vendor is a maker of NPUs as LiteRT knows it.
type Vendor struct {
	// Name is the manufacturer, as LiteRT's tools and compiled models write it.
	Name string
	// Folder below ai_edge_litert/vendors.
	Folder string
	// DispatchFile is the name of the dispatch library.
	DispatchFile string
	// Source says where the vendor's own libraries come from.
	Source string
}

// vendors are those with a compiler plugin in LiteRT's package.
var vendors = []Vendor{
	{Name: "Google", Folder: "google_tensor", DispatchFile: "libLiteRtDispatch_GoogleTensor.so", Source: "Google's SDK for its Tensor chips"},
	{Name: "IntelOpenVINO", Folder: "intel_openvino", DispatchFile: "libLiteRtDispatch_IntelOpenvino.so", Source: "OpenVINO: run ci/setup openvino"},
	{Name: "MediaTek", Folder: "mediatek", DispatchFile: "libLiteRtDispatch_MediaTek.so", Source: "MediaTek's NeuroPilot SDK"},
	{Name: "Qualcomm", Folder: "qualcomm", DispatchFile: "libLiteRtDispatch_Qualcomm.so", Source: "Qualcomm's QNN (ci/setup qnn for the compiler; for a phone, LiteRT's Android packages)"},
	{Name: "Samsung", Folder: "samsung", DispatchFile: "libLiteRtDispatch_Samsung.so", Source: "Samsung's Exynos AI SDK"},
}

// VendorNamed is the vendor of that name, whatever its case.
func VendorNamed(name string) (Vendor, bool) {
	i := slices.IndexFunc(vendors, func(v Vendor) bool { return strings.EqualFold(v.Name, name) })
	if i < 0 {
		return Vendor{}, false
	}
	return vendors[i], true
}

// VendorNames are the names of all vendors.
func VendorNames() []string {
	names := make([]string, len(vendors))
	for i, v := range vendors {
		names[i] = v.Name
	}
	return names
}

// LibraryFolders are where the vendor's own libraries lie, which the plugin needs
// and the loader must be told of (LD_LIBRARY_PATH).
func (p Package) LibraryFolders(v Vendor) []string {
	switch v.Name {
	case "IntelOpenVINO":
		return []string{filepath.Join(folder("NANOFLUX_OPENVINO", openvinoFolder), "openvino", "libs")}
	case "Qualcomm":
		qnn := folder("NANOFLUX_QNN", qnnFolder)
		return []string{filepath.Join(qnn, "onnxruntime_qnn"), filepath.Join(qnn, "onnxruntime_qnn.libs"), p.in(), p.Empty()}
	}
	return nil
}
