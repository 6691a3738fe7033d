{# Therapeutic class by ingredient, for drug codes that `core.ref_drug_code` does not list (RxNorm and rare NDCs). #}
{% macro core_drug_class_by_name(name) %}
  case
    when {{ name }} is null then null
    {% for drug_class, ingredients in {
      'diabetes': ['metformin', 'insulin', 'glipizide', 'glyburide', 'glimepiride', 'gliptin', 'glutide', 'gliflozin',
        'pioglitazone', 'humulin', 'novolog', 'lantus'],
      'ras_antagonist': ['[a-z]+pril\\\\b', '[a-z]+sartan\\\\b', 'aliskiren'],
      'statin': ['[a-z]+vastatin'],
      'inhaler': ['albuterol', 'fluticasone', 'budesonide', 'salmeterol', 'tiotropium', 'ipratropium', 'formoterol',
        'inhal'],
      'antidepressant': ['fluoxetine', 'sertraline', 'citalopram', 'paroxetine', 'venlafaxine', 'duloxetine',
        'bupropion', 'trazodone', 'mirtazapine', 'amitriptyline'],
      'anticoagulant': ['warfarin', 'apixaban', 'rivaroxaban', 'dabigatran', 'heparin', 'enoxaparin'],
      'opioid': ['codone', 'codeine', 'morphine', 'fentanyl', 'tramadol', 'methadone', 'hydromorphone', 'buprenorphine',
        'meperidine', 'sufentanil'],
    }.items() %}
      when lower({{ name }}) rlike '{{ ingredients | join("|") }}' then '{{ drug_class }}'
    {% endfor %}
  end
{% endmacro %}
