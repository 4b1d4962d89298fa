"""Forecasts on the device: input features, calendar, time grid."""
