"""Events that CRMs deliver, each a hint and never a fact: taken in (`intake`), stored many at a time (`inbox`)."""
