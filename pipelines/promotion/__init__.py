"""From a judged run to an entry of the promotion log, its card, its event and its bundle."""
