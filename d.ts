import { Dashboard, ThresholdsMode } from "@grafana/schema"; export const d: Dashboard = {
 "uid": "edgelstm-prometheus",
 "title": "edgelstm, live",
 "description": "Counters of edgelstm's /metrics in Prometheus",
 "tags": [
  "edgelstm"
 ],
 "timezone": "browser",
 "editable": true,
 "graphTooltip": 1,
 "schemaVersion": 39,
 "version": 1,
 "refresh": "30s",
 "time": {
  "from": "now-6h",
  "to": "now"
 },
 "templating": {
  "list": [
   {
    "name": "source",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "refresh": 1,
    "hide": 0
   },
   {
    "name": "stream",
    "label": "Stream",
    "type": "query",
    "datasource": {
     "type": "prometheus",
     "uid": "${source}"
    },
    "query": "label_values(edgelstm_running, stream)",
    "refresh": 2,
    "sort": 1,
    "multi": true,
    "includeAll": true,
    "allValue": ".*",
    "hide": 0
   }
  ]
 },
 "annotations": {
  "list": []
 },
 "links": [],
 "panels": [
  {
   "id": 1,
   "type": "stat",
   "title": "Open events",
   "description": "Alarms, sensor faults and drifts that are open now",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 0,
    "y": 0,
    "w": 6,
    "h": 4
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "short",
     "thresholds": {
      "mode": ThresholdsMode.Absolute,
      "steps": [
       {
        "color": "green",
        "value": null
       },
       {
        "color": "red",
        "value": 1
       }
      ]
     }
    },
    "overrides": []
   },
   "options": {
    "reduceOptions": {
     "values": false,
     "calcs": [
      "lastNotNull"
     ],
     "fields": ""
    },
    "colorMode": "background",
    "graphMode": "none",
    "justifyMode": "auto",
    "orientation": "auto",
    "textMode": "auto"
   }
  },
  {
   "id": 2,
   "type": "stat",
   "title": "Streams that run",
   "description": "Streams that are being read",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 6,
    "y": 0,
    "w": 6,
    "h": 4
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "short",
     "thresholds": {
      "mode": ThresholdsMode.Absolute,
      "steps": [
       {
        "color": "red",
        "value": null
       },
       {
        "color": "green",
        "value": 1
       }
      ]
     }
    },
    "overrides": []
   },
   "options": {
    "reduceOptions": {
     "values": false,
     "calcs": [
      "lastNotNull"
     ],
     "fields": ""
    },
    "colorMode": "background",
    "graphMode": "none",
    "justifyMode": "auto",
    "orientation": "auto",
    "textMode": "auto"
   }
  },
  {
   "id": 3,
   "type": "stat",
   "title": "Newest sample",
   "description": "Age of the newest sample, of the stream that is furthest behind",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 12,
    "y": 0,
    "w": 6,
    "h": 4
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "s",
     "thresholds": {
      "mode": ThresholdsMode.Absolute,
      "steps": [
       {
        "color": "green",
        "value": null
       },
       {
        "color": "orange",
        "value": 300
       }
      ]
     }
    },
    "overrides": []
   },
   "options": {
    "reduceOptions": {
     "values": false,
     "calcs": [
      "lastNotNull"
     ],
     "fields": ""
    },
    "colorMode": "background",
    "graphMode": "none",
    "justifyMode": "auto",
    "orientation": "auto",
    "textMode": "auto"
   }
  },
  {
   "id": 4,
   "type": "stat",
   "title": "Waiting on disk",
   "description": "Records that sinks have not delivered yet",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 18,
    "y": 0,
    "w": 6,
    "h": 4
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "bytes",
     "thresholds": {
      "mode": ThresholdsMode.Absolute,
      "steps": [
       {
        "color": "green",
        "value": null
       },
       {
        "color": "orange",
        "value": 1048576
       }
      ]
     }
    },
    "overrides": []
   },
   "options": {
    "reduceOptions": {
     "values": false,
     "calcs": [
      "lastNotNull"
     ],
     "fields": ""
    },
    "colorMode": "background",
    "graphMode": "none",
    "justifyMode": "auto",
    "orientation": "auto",
    "textMode": "auto"
   }
  },
  {
   "id": 5,
   "type": "timeseries",
   "title": "Score",
   "description": "Newest score and threshold of each stream",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 0,
    "y": 4,
    "w": 24,
    "h": 8
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    },
    {
     "refId": "B",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "custom": {
      "drawStyle": "line",
      "lineWidth": 1,
      "fillOpacity": 0,
      "showPoints": "never",
      "spanNulls": false
     },
     "min": 0
    },
    "overrides": [
     {
      "matcher": {
       "id": "byRegexp",
       "options": ".* threshold"
      },
      "properties": [
       {
        "id": "color",
        "value": {
         "mode": "fixed",
         "fixedColor": "red"
        }
       }
      ]
     }
    ]
   },
   "options": {
    "legend": {
     "displayMode": "list",
     "placement": "bottom",
     "showLegend": true,
     "calcs": []
    },
    "tooltip": {
     "mode": "multi",
     "sort": "none"
    }
   }
  },
  {
   "id": 6,
   "type": "timeseries",
   "title": "Events opened",
   "description": "Events by kind in each interval",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 0,
    "y": 12,
    "w": 12,
    "h": 8
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "short",
     "min": 0,
     "custom": {
      "drawStyle": "bars",
      "lineWidth": 0,
      "fillOpacity": 70
     }
    },
    "overrides": []
   },
   "options": {
    "legend": {
     "displayMode": "list",
     "placement": "bottom",
     "showLegend": true,
     "calcs": []
    },
    "tooltip": {
     "mode": "multi",
     "sort": "none"
    }
   }
  },
  {
   "id": 7,
   "type": "timeseries",
   "title": "Rows by status",
   "description": "What became of the rows, a second",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 12,
    "y": 12,
    "w": 12,
    "h": 8
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "cps",
     "min": 0,
     "custom": {
      "drawStyle": "line",
      "lineWidth": 1,
      "fillOpacity": 0,
      "showPoints": "never",
      "spanNulls": false
     }
    },
    "overrides": []
   },
   "options": {
    "legend": {
     "displayMode": "list",
     "placement": "bottom",
     "showLegend": true,
     "calcs": []
    },
    "tooltip": {
     "mode": "multi",
     "sort": "none"
    }
   }
  },
  {
   "id": 8,
   "type": "timeseries",
   "title": "Time to score",
   "description": "Seconds of scoring a sample",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 0,
    "y": 20,
    "w": 12,
    "h": 8
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "s",
     "min": 0,
     "custom": {
      "drawStyle": "line",
      "lineWidth": 1,
      "fillOpacity": 0,
      "showPoints": "never",
      "spanNulls": false
     }
    },
    "overrides": []
   },
   "options": {
    "legend": {
     "displayMode": "list",
     "placement": "bottom",
     "showLegend": true,
     "calcs": []
    },
    "tooltip": {
     "mode": "multi",
     "sort": "none"
    }
   }
  },
  {
   "id": 9,
   "type": "timeseries",
   "title": "Troubles",
   "description": "Input that was repaired or could not be used, and records that sinks dropped, a second",
   "datasource": {
    "type": "prometheus",
    "uid": "${source}"
   },
   "gridPos": {
    "x": 12,
    "y": 20,
    "w": 12,
    "h": 8
   },
   "targets": [
    {
     "refId": "A",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    },
    {
     "refId": "B",
     "datasource": {
      "type": "prometheus",
      "uid": "${source}"
     }
    }
   ],
   "fieldConfig": {
    "defaults": {
     "unit": "cps",
     "min": 0,
     "custom": {
      "drawStyle": "line",
      "lineWidth": 1,
      "fillOpacity": 0,
      "showPoints": "never",
      "spanNulls": false
     }
    },
    "overrides": []
   },
   "options": {
    "legend": {
     "displayMode": "list",
     "placement": "bottom",
     "showLegend": true,
     "calcs": []
    },
    "tooltip": {
     "mode": "multi",
     "sort": "none"
    }
   }
  }
 ]
}
