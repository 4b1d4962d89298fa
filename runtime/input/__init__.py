"""Input policies: late, doubled, missing and implausible samples, and the sensor faults they become."""
