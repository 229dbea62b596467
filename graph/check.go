package graph

func Check(m *Model) error { return nil }
