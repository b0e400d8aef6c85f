"""`flask trigger`: makes events happen, through the emulator or as signed sample webhooks."""
