"""Training under control: candidates, their judgement against the active model, cards."""
