// Package text turns prompts into what a denoiser reads: SentencePiece's unigram
// tokenizer, and the graph of a T5 encoder from config and weights.
package text
