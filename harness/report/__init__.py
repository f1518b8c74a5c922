"""The report of results: pictures, and a page of HTML with everything that they say."""
