"""Receive events of CRMs (`intake`) and store them, many at a time (`inbox`). An event is a hint, never a fact."""
