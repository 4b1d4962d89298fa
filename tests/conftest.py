"""What all tests share; its folder is on the path, so that `forms` can be imported."""
