"""The model card: what a model is, whom it learnt from, how it was judged and who let it serve; facts and aggregates only."""
