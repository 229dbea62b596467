package fallback

import "encoding/binary"

// packNibbles is packStored of 4-bit integers, those of data from offset on. The
// lower halves of a panel's bytes are its first half, the upper ones its second.
func packNibbles(p *packed, i int, data []byte, offset int) {
	from, panel, n := p.place(i)
	width, column := p.table.Columns, panel*p.table.Columns
	at, size := from*p.panels()*width+panel*n*width, n*width
	dst := p.stored[at/2:][:size/2]
	for c := range min(width, p.columns-column) {
		first := offset + (column+c)*p.depth + from
		for k := range n {
			v := byte(nibble(data, first+k)) & 15
			if to := k*width + c; to < size/2 {
				dst[to] |= v
			} else {
				dst[to-size/2] |= v << 4
			}
		}
	}
}

// spreadNibbles writes the signed integers that packNibbles put in halves of
// bytes, eight bytes at a time: x−8 for x from 0 to 15 is (x|128)−8 with the
// upper bit turned, where no byte borrows from the next.
func spreadNibbles(out, in []byte) {
	const lower, eight, upper = 0x0F0F0F0F0F0F0F0F, 0x0808080808080808, 0x8080808080808080
	low, high := out[:len(in)], out[len(in):][:len(in)]
	for len(in) >= 8 {
		x := binary.LittleEndian.Uint64(in)
		binary.LittleEndian.PutUint64(low, ((x&lower^eight|upper)-eight)^upper)
		binary.LittleEndian.PutUint64(high, ((x>>4&lower^eight|upper)-eight)^upper)
		in, low, high = in[8:], low[8:], high[8:]
	}
	for i, x := range in {
		low[i], high[i] = byte(int8(x<<4)>>4), byte(int8(x)>>4)
	}
}
